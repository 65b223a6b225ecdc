import { TollgateError } from "../../base/errors.ts";
import { parseNanoUsd } from "../../base/money.ts";
import { count, dollars } from "./amounts.ts";
import { errorOf, send, type GatewayAddress, type GatewayAnswer } from "./gateway-client.ts";
import { wrapped } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export interface SpendOptions {
  readonly model?: string;
  readonly maxRequests: number;
  readonly json?: boolean;
}

/** What a refusal of a spent budget is called. */
const REFUSED = "budget_exceeded";
/** Dear enough that a small budget is spent in seconds. */
const PREFERRED = ["gpt-4o", "claude-sonnet-4-5"];
const REQUEST = { max_tokens: 1_000, messages: [{ role: "user", content: "Tell me a long story about a toll gate." }] };

/**
 * Sends chat completions with a key, one after the other, until its budget refuses one or `maxRequests` are sent, and shows
 * each cost.
 * @throws TollgateError for any other error
 */
export async function spendUntilRefused(terminal: Terminal, gateway: GatewayAddress, options: SpendOptions): Promise<void> {
  const model = options.model ?? (await chooseModel(gateway));
  const json = wantsJson(terminal, options);
  let spent = 0n;
  if (!json) terminal.out(`Asking ${model} at ${gateway.url}, one request after the other:\n\n`);
  for (let number = 1; number <= options.maxRequests; number += 1) {
    const answer = await send(gateway, "/v1/chat/completions", { model, ...REQUEST });
    if (answer.status === 200) {
      const cost = parseNanoUsd(answer.headers.get("x-litellm-response-cost") ?? "") ?? 0n;
      spent += cost;
      const cap = answer.headers.get("x-tollgate-output-cap");
      const line = `request ${String(number).padStart(3)}  cost ${dollars(cost, 9)}  spent ${dollars(spent, 9)}${cap === null ? "" : styled(terminal, "dim", `  capped at ${cap} tokens`)}\n`;
      if (json) terminal.remark(line);
      else terminal.out(line);
      continue;
    }
    const error = errorOf(answer, gateway);
    if (error.code !== REFUSED) throw error;
    told(terminal, answer, number, error, spent, json);
    return;
  }
  if (json) writeJson(terminal, { requests: options.maxRequests, spent_nano_usd: spent.toString(), refused: null });
  else terminal.out(`\n${count(options.maxRequests)} requests for ${dollars(spent)}, and none was refused. --requests sends more.\n`);
}

function told(terminal: Terminal, answer: GatewayAnswer, number: number, error: TollgateError, spent: bigint, json: boolean): void {
  if (json) {
    writeJson(terminal, { requests: number, spent_nano_usd: spent.toString(), refused: answer.body });
    return;
  }
  terminal.out(`request ${String(number).padStart(3)}  ${styled(terminal, "red", `refused: ${answer.status} ${error.code}`)}\n\n${wrapped(error.message, terminal.columns).join("\n")}\n`);
}

async function chooseModel(gateway: GatewayAddress): Promise<string> {
  const answer = await send(gateway, "/v1/models");
  if (answer.status !== 200) throw errorOf(answer, gateway);
  const names = (answer.body as { data: { id: string }[] }).data.map((model) => model.id);
  const model = PREFERRED.find((name) => names.includes(name)) ?? names[0];
  if (model === undefined) throw new TollgateError("unknown_model", "The gateway lists no models. Name one with --model provider/model.");
  return model;
}
