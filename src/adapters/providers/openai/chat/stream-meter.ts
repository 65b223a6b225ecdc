import type { Reading } from "../../../../domain/upstream/dialect.ts";
import type { UsageLine } from "../../../../domain/usage/usage.ts";
import type { EventMeter, Verdict } from "../event-stream.ts";
import { dataOf } from "../event-text.ts";
import { isObject, nonEmpty, parseOrUndefined, type JsonObject } from "../json.ts";
import { MemberScan } from "../scan.ts";
import type { UsageProblem } from "../usage-counts.ts";
import { readUsage } from "./read-usage.ts";
import type { StreamEvent } from "./wire.ts";

/** Events that are parsed in search of the answer's model and id; Azure's first event has neither. */
const IDENTITY_EVENTS_MAX = 8;

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;

/**
 * What the events of a stream have told so far. Most events are never parsed: their text shows that they carry neither
 * usage nor an error nor the end. Names are looked for as providers write them, without escapes; a provider that
 * escaped them would only lose its usage, and be charged as one that sent none.
 */
export class StreamMeter implements EventMeter {
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
  /** What the events of this stream begin with, up to `"delta":`, and end with, from `"finish_reason":null`. */
  #head = "";
  #tail = "";
  #usageData = "";

  /** Counts a text of whole events ending in \n\n at once, if none of them needs a look. Otherwise changes nothing. */
  takePlain(text: string): boolean {
    const length = text.length;
    if (!this.settled || text.charCodeAt(length - 1) !== LINE_FEED || text.includes("\r")) return false;
    let bytes = 0;
    let finished = this.#finished;
    let at = 0;
    while (at < length) {
      const end = text.indexOf("\n\n", at);
      if (end < 0) return false;
      const framed = this.#framed(text, at, end);
      if (framed < 0) {
        const event = text.slice(at, end);
        if (needsLook(event)) return false;
        finished ||= finishes(event);
        bytes += end - at;
      } else bytes += framed;
      at = end + 2;
    }
    this.outputBytes += bytes;
    this.#finished = finished;
    return true;
  }

  /** @param event its text as latin1, without the blank line */
  take(event: string): Verdict {
    if (this.settled) {
      const framed = this.#framed(event, 0, event.length);
      if (framed >= 0 || !needsLook(event)) {
        this.outputBytes += framed < 0 ? event.length : framed;
        this.#finished ||= framed < 0 && finishes(event);
        return "pass";
      }
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
    copy.#head = this.#head;
    copy.#tail = this.#tail;
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
    const framed = this.#framed(event, 0, event.length);
    this.outputBytes += framed < 0 ? event.length : framed;
    this.#finished ||= finishes(event);
    return "pass";
  }

  #identify(event: string, parsed: StreamEvent): void {
    this.model ??= nonEmpty(parsed.model);
    this.responseId ??= nonEmpty(parsed.id);
    if (this.model !== undefined && this.responseId !== undefined) this.settled = true;
    else this.#countIdentityEvent();
    if (this.settled) this.#learnFrame(event);
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

  /** Providers repeat everything around the delta in each event. */
  #learnFrame(event: string): void {
    const delta = event.indexOf('"delta":');
    const finish = event.lastIndexOf('"finish_reason":');
    if (delta < 0 || finish < delta || !/^"finish_reason": ?null/.test(event.slice(finish)) || needsLook(event)) return;
    this.#head = event.slice(0, delta + 8);
    this.#tail = event.slice(finish);
  }

  /**
   * Bytes between the frame that this stream repeats, or -1. Between `"delta":` and an unfinished end of the choices no
   * provider can put usage, an error or the end, so such an event needs no look; and no more than these bytes are
   * generated text.
   */
  #framed(text: string, start: number, end: number): number {
    const head = this.#head;
    const tail = this.#tail;
    const from = start + head.length;
    const to = end - tail.length;
    return head !== "" && from <= to && text.slice(to, end) === tail && text.slice(start, from) === head ? to - from : -1;
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
