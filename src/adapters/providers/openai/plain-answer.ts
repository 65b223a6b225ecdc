import type { PlainReader, Reading } from "../../../domain/upstream/dialect.ts";
import type { UsageLine } from "../../../domain/usage/usage.ts";
import { isObject, nonEmpty, parseOrUndefined, type JsonObject } from "./json.ts";
import { MemberScan, skipSpace } from "./scan.ts";
import type { UsageProblem } from "./usage-counts.ts";

/** No provider's usage object comes near this; a larger one is not parsed. */
const USAGE_BYTES_MAX = 65_536;

/** What the dialects' plain answers differ in. */
export interface AnswerShape {
  /** The member that holds what was generated. */
  readonly output: string;
  /** Bytes of generated text in that member's JSON. */
  outputBytes(json: string): number;
  /** @param output the member's JSON, as latin1 */
  readUsage(usage: JsonObject, model: string | undefined, output: string): readonly UsageLine[] | UsageProblem;
}

/**
 * A plain answer. Only `usage`, `model`, `id` and `status` are decoded: the rest is the client's, and parsing it would
 * cost more than everything else that is done to an answer.
 */
class Answer implements Reading {
  usage: readonly UsageLine[] | undefined = undefined;
  problem: UsageProblem | undefined = "missing";
  rawUsage: string | undefined = undefined;
  model: string | undefined = undefined;
  responseId: string | undefined = undefined;
  complete = false;
  /** What was generated, JSON as latin1. */
  output = "";
  readonly #shape: AnswerShape;
  #outputBytes: number | undefined = undefined;

  constructor(shape: AnswerShape) {
    this.#shape = shape;
  }

  /** Parsed when asked for: an answer with usage never needs it. */
  get outputBytes(): number {
    return (this.#outputBytes ??= this.output === "" ? 0 : this.#shape.outputBytes(Buffer.from(this.output, "latin1").toString("utf8")));
  }

  believe(usage: string): void {
    const parsed = usage.length > USAGE_BYTES_MAX ? undefined : parseOrUndefined(usage);
    if (!isObject(parsed)) return;
    this.rawUsage = usage;
    const found = this.#shape.readUsage(parsed, this.model, this.output);
    if (typeof found === "string") this.problem = found;
    else {
      this.usage = found;
      this.problem = undefined;
    }
  }
}

/** Reads plain answers of one shape. */
export class PlainAnswerReader implements PlainReader {
  readonly #shape: AnswerShape;

  constructor(shape: AnswerShape) {
    this.#shape = shape;
  }

  read(body: Uint8Array): Reading {
    const raw = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const text = raw.toString("latin1");
    const answer = new Answer(this.#shape);
    const { output } = this.#shape;
    let usage = "";
    let failed = false;
    let chunk = false;
    const scan = new MemberScan(text, 0, Number.MAX_SAFE_INTEGER);
    while (scan.next()) {
      if (scan.named(output)) answer.output = text.slice(scan.valueStart, scan.valueEnd);
      else if (scan.named("usage")) usage = raw.toString("utf8", scan.valueStart, scan.valueEnd);
      else if (scan.named("model")) answer.model = textOf(raw, text, scan);
      else if (scan.named("id")) answer.responseId = textOf(raw, text, scan);
      else if (scan.named("object")) chunk = text.startsWith('"chat.completion.chunk"', scan.valueStart);
      else if (scan.named("error")) failed ||= !text.startsWith("null", scan.valueStart);
      else if (scan.named("status")) failed ||= text.startsWith('"failed"', scan.valueStart) || text.startsWith('"cancelled"', scan.valueStart);
    }
    // A body that breaks off says nothing that can be believed, whatever came before.
    if (scan.end < 0 || skipSpace(text, scan.end) < text.length) return new Answer(this.#shape);
    answer.complete = !failed && !(chunk && isUnfinished(answer.output));
    if (usage !== "") answer.believe(usage);
    return answer;
  }
}

/** Of a stream somebody hands over one event: with a choice that goes on it was not the last, and its usage may have grown. */
function isUnfinished(output: string): boolean {
  const choices = parseOrUndefined(output);
  return Array.isArray(choices) && choices.some((choice: unknown) => !isObject(choice) || typeof choice["finish_reason"] !== "string");
}

/** A text that stands for itself, quotes included. */
const PLAIN_TEXT = /^"[ !#-[\]-~]+"$/;

/** The current member's value if it is a non-empty text. Copied, so that it does not keep the whole answer in memory. */
function textOf(raw: Buffer, text: string, scan: MemberScan): string | undefined {
  const { valueStart, valueEnd } = scan;
  if (PLAIN_TEXT.test(text.slice(valueStart, valueEnd))) return raw.toString("latin1", valueStart + 1, valueEnd - 1);
  const value = parseOrUndefined(raw.toString("utf8", valueStart, valueEnd));
  return nonEmpty(value);
}

/** Bytes of a text, or of the JSON of anything else. */
export function textBytes(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));
}
