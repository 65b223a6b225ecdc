import type { PlainReader, Reading } from "../../../domain/upstream/dialect.ts";
import type { UsageLine } from "../../../domain/usage/usage.ts";
import { readUsage, type UsageProblem } from "./read-usage.ts";
import { MemberScan, skipSpace } from "./scan.ts";
import { isObject, type JsonObject } from "./wire.ts";

/** No provider's usage object comes near this; a larger one is not parsed. */
const USAGE_BYTES_MAX = 65_536;

/**
 * A plain answer. Only `usage`, `model` and `id` are decoded: the rest is the client's, and parsing it would cost more
 * than everything else that is done to an answer.
 */
class Answer implements Reading {
  usage: readonly UsageLine[] | undefined = undefined;
  problem: UsageProblem | undefined = "missing";
  rawUsage: string | undefined = undefined;
  model: string | undefined = undefined;
  responseId: string | undefined = undefined;
  complete = false;
  /** The value of `choices` as latin1. */
  choices = "";
  #outputBytes: number | undefined = undefined;

  /** Parsed when asked for: an answer with usage never needs it. */
  get outputBytes(): number {
    return (this.#outputBytes ??= outputBytesOf(this.choices));
  }
}

export const plainReader: PlainReader = {
  read(body: Uint8Array): Reading {
    const raw = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const text = raw.toString("latin1");
    const answer = new Answer();
    let usage = "";
    let failed = false;
    const scan = new MemberScan(text, 0, Number.MAX_SAFE_INTEGER);
    while (scan.next()) {
      if (scan.named("choices")) answer.choices = text.slice(scan.valueStart, scan.valueEnd);
      else if (scan.named("usage")) usage = raw.toString("utf8", scan.valueStart, scan.valueEnd);
      else if (scan.named("model")) answer.model = textOf(raw, text, scan);
      else if (scan.named("id")) answer.responseId = textOf(raw, text, scan);
      else if (scan.named("error")) failed = !text.startsWith("null", scan.valueStart);
    }
    // A body that breaks off says nothing that can be believed, whatever came before.
    if (scan.end < 0 || skipSpace(text, scan.end) < text.length) return new Answer();
    answer.complete = !failed;
    if (usage !== "") believe(answer, usage);
    return answer;
  },
};

function believe(answer: Answer, usage: string): void {
  const parsed = usage.length > USAGE_BYTES_MAX ? undefined : parseOrUndefined(usage);
  if (!isObject(parsed)) return;
  answer.rawUsage = usage;
  const found = readUsage(parsed, answer.model);
  if (typeof found === "string") answer.problem = found;
  else {
    answer.usage = found;
    answer.problem = undefined;
  }
}

/** A text that stands for itself, quotes included. */
const PLAIN_TEXT = /^"[ !#-[\]-~]+"$/;

/** The current member's value if it is a non-empty text. Copied, so that it does not keep the whole answer in memory. */
function textOf(raw: Buffer, text: string, scan: MemberScan): string | undefined {
  const { valueStart, valueEnd } = scan;
  if (PLAIN_TEXT.test(text.slice(valueStart, valueEnd))) return raw.toString("latin1", valueStart + 1, valueEnd - 1);
  const value = parseOrUndefined(raw.toString("utf8", valueStart, valueEnd));
  return typeof value === "string" && value !== "" ? value : undefined;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Bytes of generated text: content, refusal, reasoning and the arguments of calls. */
function outputBytesOf(choices: string): number {
  const parsed = parseOrUndefined(Buffer.from(choices, "latin1").toString("utf8"));
  if (!Array.isArray(parsed)) return choices.length;
  let bytes = 0;
  for (const choice of parsed as readonly unknown[]) {
    const message = isObject(choice) ? choice["message"] : undefined;
    if (isObject(message)) bytes += messageBytes(message);
  }
  return bytes;
}

function messageBytes(message: JsonObject): number {
  let bytes = textBytes(message["content"]) + textBytes(message["refusal"]) + textBytes(message["reasoning_content"] ?? message["reasoning"]);
  const calls: readonly unknown[] = Array.isArray(message["tool_calls"]) ? message["tool_calls"] : [];
  for (const call of [...calls, { function: message["function_call"] }]) {
    const called = isObject(call) ? call["function"] : undefined;
    if (isObject(called)) bytes += textBytes(called["name"]) + textBytes(called["arguments"]);
  }
  return bytes;
}

function textBytes(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
}
