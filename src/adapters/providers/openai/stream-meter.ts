import type { Reading } from "../../../domain/upstream/dialect.ts";
import type { UsageLine } from "../../../domain/usage/usage.ts";
import { dataOf } from "./event-text.ts";
import { readUsage, type UsageProblem } from "./read-usage.ts";
import { MemberScan } from "./scan.ts";
import { isObject, type JsonObject, type StreamEvent } from "./wire.ts";

/** Events that are parsed in search of the answer's model and id; Azure's first event has neither. */
const IDENTITY_EVENTS_MAX = 8;

const SPACE = 0x20;
const COLON = 0x3a;

export type Verdict =
  /** The client may see it. */
  | "pass"
  /** Nothing but usage. */
  | "usage"
  /** `[DONE]`. */
  | "close";

/**
 * What the events of a stream have told so far. Most events are never parsed: their text shows that they carry neither
 * usage nor an error nor the end. Names are looked for as providers write them, without escapes; a provider that
 * escaped them would only lose its usage, and be charged as one that sent none.
 */
export class StreamMeter {
  usage: readonly UsageLine[] | undefined = undefined;
  problem: UsageProblem | undefined = "missing";
  model: string | undefined = undefined;
  responseId: string | undefined = undefined;
  outputBytes = 0;
  /** Model and id are known, or given up. */
  settled = false;
  #done = false;
  #failed = false;
  #finished = false;
  #identityEvents = 0;
  /** What all events of this stream begin with, up to the generated text. */
  #envelope = "";
  #usageData = "";

  /** Counts a text of whole events ending in \n\n at once, if none of them needs a look. Otherwise changes nothing. */
  takePlain(text: string): boolean {
    const length = text.length;
    if (!this.settled || text.charCodeAt(length - 1) !== 0x0a || text.includes("\r") || needsLook(text)) return false;
    let bytes = 0;
    let at = 0;
    while (at < length) {
      const end = text.indexOf("\n\n", at);
      if (end < 0) return false;
      bytes += this.#generated(text, at, end);
      at = end + 2;
    }
    this.outputBytes += bytes;
    this.#finished ||= finishes(text);
    return true;
  }

  /** @param event its text as latin1, without the blank line */
  take(event: string): Verdict {
    if (this.settled && !needsLook(event)) {
      this.outputBytes += this.#generated(event, 0, event.length);
      this.#finished ||= finishes(event);
      return "pass";
    }
    const data = dataOf(event);
    if (data !== undefined && data.trim() === "[DONE]") {
      this.#done = true;
      return "close";
    }
    if (/^event: ?error\b/m.test(event)) this.#failed = true;
    const parsed = data === undefined ? undefined : parseOrUndefined(data);
    if (data === undefined || !isObject(parsed)) {
      if (data !== undefined) this.#countIdentityEvent();
      this.outputBytes += event.length;
      return "pass";
    }
    return this.#read(event, data, parsed);
  }

  /** What stands at the end of a stream without a blank line: an event only if it is whole. */
  takeRest(rest: string): Verdict {
    const event = rest.replace(/[\r\n]+$/, "");
    const data = dataOf(event);
    if (data !== undefined && (data.trim() === "[DONE]" || parseOrUndefined(data) !== undefined)) return this.take(event);
    this.outputBytes += event.length;
    return "pass";
  }

  /** An event too large to be looked at. */
  takeUnread(bytes: number): void {
    this.outputBytes += bytes;
  }

  /** A copy, to see what an unfinished event would tell. */
  fork(): StreamMeter {
    const copy = new StreamMeter();
    copy.usage = this.usage;
    copy.problem = this.problem;
    copy.model = this.model;
    copy.responseId = this.responseId;
    copy.outputBytes = this.outputBytes;
    copy.settled = this.settled;
    copy.#done = this.#done;
    copy.#failed = this.#failed;
    copy.#finished = this.#finished;
    copy.#identityEvents = this.#identityEvents;
    copy.#envelope = this.#envelope;
    copy.#usageData = this.#usageData;
    return copy;
  }

  reading(): Reading {
    const { usage, problem, model, responseId, outputBytes } = this;
    const ended = this.#done || (this.#finished && usage !== undefined);
    return { usage, problem, rawUsage: rawUsageOf(this.#usageData), model, responseId, outputBytes, complete: ended && !this.#failed };
  }

  #read(event: string, data: string, parsed: StreamEvent): Verdict {
    if (!this.settled) this.#identify(event, parsed);
    const failed = parsed.error !== undefined && parsed.error !== null;
    this.#failed ||= failed;
    const usage = usageOf(parsed);
    if (usage !== undefined) this.#believe(usage, data);
    // An error is never withheld, whatever else its event carries.
    if (Array.isArray(parsed.choices) && parsed.choices.length === 0) return isObject(parsed.usage) && !failed ? "usage" : "pass";
    this.outputBytes += this.#generated(event, 0, event.length);
    this.#finished ||= finishes(event);
    return "pass";
  }

  #identify(event: string, parsed: StreamEvent): void {
    this.model ??= nonEmpty(parsed.model);
    this.responseId ??= nonEmpty(parsed.id);
    if (this.model !== undefined && this.responseId !== undefined) this.settled = true;
    else this.#countIdentityEvent();
    const delta = this.settled ? event.indexOf('"delta":') : -1;
    if (delta >= 0) this.#envelope = event.slice(0, delta + 8);
  }

  #countIdentityEvent(): void {
    if (++this.#identityEvents >= IDENTITY_EVENTS_MAX) this.settled = true;
  }

  /** The last usage decides, since providers that repeat it count up; one that says nothing takes nothing back. */
  #believe(usage: JsonObject, data: string): void {
    const found = readUsage(usage, this.model);
    if (found === "missing" && this.#usageData !== "") return;
    this.#usageData = data;
    this.usage = typeof found === "string" ? undefined : found;
    this.problem = typeof found === "string" ? found : undefined;
  }

  /** No more than this many bytes of an event are generated text. */
  #generated(text: string, start: number, end: number): number {
    const envelope = this.#envelope;
    return end - start - (envelope !== "" && text.startsWith(envelope, start) ? envelope.length : 0);
  }
}

/** Whether a text may hold the end, an error or a usage object. */
function needsLook(text: string): boolean {
  return text.includes("[DONE]") || text.includes("error") || holds(text, 'usage"', "null", false);
}

/** Whether a choice has come to its end. */
function finishes(text: string): boolean {
  return holds(text, 'finish_reason"', '"', true);
}

/** Whether some member called `name` has a value that starts (or does not start) with `start`. */
function holds(text: string, name: string, start: string, wanted: boolean): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at)) {
    at += name.length;
    let code = text.charCodeAt(at);
    if (code !== COLON && code > SPACE) continue;
    while (code === COLON || code <= SPACE) code = text.charCodeAt(++at);
    if (text.startsWith(start, at) === wanted) return true;
  }
  return false;
}

/** The usage object, where OpenAI has it, or where Groq or Moonshot put it in some of their streams. */
function usageOf(event: StreamEvent): JsonObject | undefined {
  if (isObject(event.usage)) return event.usage;
  const inner = isObject(event.x_groq) ? event.x_groq["usage"] : undefined;
  if (isObject(inner)) return inner;
  const choice: unknown = Array.isArray(event.choices) ? event.choices[0] : undefined;
  const inChoice = isObject(choice) ? choice["usage"] : undefined;
  return isObject(inChoice) ? inChoice : undefined;
}

/** The usage object of an event as it came. */
function rawUsageOf(data: string): string | undefined {
  if (data === "") return undefined;
  let raw: string | undefined;
  for (const scan = new MemberScan(data, 0, Number.MAX_SAFE_INTEGER); scan.next(); ) {
    if (scan.named("usage") && data[scan.valueStart] === "{") raw = data.slice(scan.valueStart, scan.valueEnd);
  }
  if (raw !== undefined) return raw;
  const parsed = parseOrUndefined(data);
  return isObject(parsed) ? JSON.stringify(usageOf(parsed)) : undefined;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
