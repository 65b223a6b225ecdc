/*
 * Compiled, never run: by test/package/types.test.ts, against the types of the packed package. A line under
 * `@ts-expect-error` has to be an error, all others must be none.
 */
import tollgate, {
  BudgetExceededError, completion, createTollgate, CustomLogger, embedding, ProviderError, responses, TollgateError, withContext,
  type CallRecord, type CompletionParams, type CompletionResponse, type CompletionStream, type Cost, type ErrorCode, type KnownModel, type ResponsesStream, type SuccessfulCall, type Tollgate,
} from "tollgate";
import { compare, format, subtract, sum } from "tollgate/money";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
declare function same<A, B>(proof: Equal<A, B>): void;

export async function literalStreamDecides(flag: boolean): Promise<void> {
  const plain = await completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hi" }] });
  same<typeof plain, CompletionResponse>(true);
  const text: string | null | undefined = plain.choices[0]?.message.content;
  const streamed = await completion({ model: "openai/gpt-4o-mini", messages: [], stream: true });
  same<typeof streamed, CompletionStream>(true);
  for await (const chunk of streamed) chunk.choices[0]?.delta.content?.trim();
  const cost: Cost = await streamed.finalCost();
  const either = await tollgate.completion({ model: "openai/gpt-4o-mini", messages: [], stream: flag });
  same<typeof either, CompletionResponse | CompletionStream>(true);
  const events = await responses({ model: "openai/gpt-4o-mini", input: "Hi", stream: true });
  same<typeof events, ResponsesStream>(true);
  for await (const event of events) if (event.type === "response.output_text.delta") event.delta.trim();
  const vectors = await embedding({ model: "openai/text-embedding-3-small", input: ["one", "two"] });
  const numbers: number[] | string | undefined = vectors.data[0]?.embedding;
  void [text, cost, numbers];
}

export function knownModelsAndOthers(): void {
  const known: KnownModel = "openai/gpt-4o-mini";
  // @ts-expect-error: the list is of literals, so that editors complete them
  const unknown: KnownModel = "nobody/nothing";
  const other: CompletionParams["model"] = "nobody/nothing";
  // @ts-expect-error: a model is a text
  const wrong: CompletionParams["model"] = 4;
  void [known, unknown, other, wrong];
}

export async function wrongCallsDoNotCompile(): Promise<void> {
  // @ts-expect-error: no messages
  await completion({ model: "openai/gpt-4o-mini" });
  // @ts-expect-error: a role that does not exist
  await completion({ model: "openai/gpt-4o-mini", messages: [{ role: "boss", content: "Hi" }] });
  // @ts-expect-error: a misspelt option
  await completion({ model: "openai/gpt-4o-mini", messages: [], maxBugdet: 1 });
  // @ts-expect-error: a limit is a number or decimal text
  createTollgate({ maxBudget: true });
}

export function errorsNarrow(error: unknown): string | number {
  if (BudgetExceededError.isInstance(error)) {
    same<typeof error, BudgetExceededError>(true);
    const { currentCost, maxBudget, scope, window, resetsAt, code } = error;
    const amounts: number = currentCost + maxBudget;
    return `${amounts} ${scope} ${window} ${String(resetsAt)} ${code}`;
  }
  if (ProviderError.isInstance(error)) return error.status;
  if (TollgateError.isInstance(error)) {
    const code: ErrorCode = error.code;
    return `${code} ${error.param ?? ""}`;
  }
  const refusal = BudgetExceededError.from(error);
  // @ts-expect-error: there may be no refusal behind it
  void refusal.code;
  return refusal?.message ?? "";
}

export class Log extends CustomLogger {
  override logPreApiCall(call: CallRecord): void {
    void call.messages;
  }
  override async logSuccessEvent(call: SuccessfulCall): Promise<void> {
    const cost: number = call.responseCost;
    await Promise.resolve([cost, call.cost.total]);
  }
  override logFailureEvent(call: CallRecord, error: unknown): void {
    void [call.id, error];
  }
}

export function callbacksAreContextuallyTyped(): void {
  tollgate.successCallbacks = [(call, response, startTime, endTime) => {
    const cost: number = call.responseCost;
    const elapsedMs: number = endTime.getTime() - startTime.getTime();
    if (call.type === "completion") same<typeof call.response, CompletionResponse>(true);
    if (call.type === "responses") call.response.output_text.trim();
    void [cost, elapsedMs, call.cost.lines, response.usage, response.cost.total];
  }];
  tollgate.failureCallbacks = [async (call, error) => {
    const cost: number | null = call.responseCost;
    await Promise.resolve([cost, error]);
  }];
  tollgate.inputCallbacks = [(call) => (call.tags.includes("batch") ? { max_tokens: 100 } : undefined)];
  tollgate.callbacks = [new Log()];
  tollgate.maxBudget = "0.001";
  tollgate.maxBudget = undefined;
}

export async function instancesAndContexts(): Promise<void> {
  await using instance: Tollgate = createTollgate({ maxBudget: 5, budgets: [{ user: "*", maxBudget: "1", duration: "24h" }], defaults: { user: "job" } });
  const answer: number = await withContext({ user: "user-123", session: { id: "run", maxBudget: 1, maxIterations: 3 } }, async () => {
    const { cost } = await instance.completion({ model: "openai/gpt-4o-mini", messages: [], tags: ["search"], metadata: { feature: "search" } });
    return cost.totalUsd;
  });
  void answer;
}

export function moneyIsText(cost: Cost): void {
  const total: string = sum(cost.total, "0.1");
  const rest: string = subtract(total, "0.05");
  const order: number = compare(rest, total);
  void [format(total), order];
  // @ts-expect-error: nothing in a cost is a bigint, it is made of JSON
  const exact: bigint = cost.total;
  void exact;
}
