import type { Reading } from "../../../../domain/upstream/dialect.ts";
import type { UsageLine } from "../../../../domain/usage/usage.ts";
import type { EventMeter, Verdict } from "../event-stream.ts";
import { dataOf } from "../event-text.ts";
import { isObject, nonEmpty, parseOrUndefined, type JsonObject } from "../json.ts";
import { MemberScan } from "../scan.ts";
import type { UsageProblem } from "../usage-counts.ts";
import { readUsage } from "./read-usage.ts";
import type { StreamEvent } from "./wire.ts";

/** The events that tell of the whole response. A text that quotes them has its quotes escaped. */
const WHOLE = /"type"\s*:\s*"(?:response\.(?:created|in_progress|queued|completed|incomplete|failed|cancelled)|error)"/;
const DELTA = /"type"\s*:\s*"[a-z_.]+\.delta"/;
const ITEM_DONE = /"type"\s*:\s*"response\.output_item\.done"/;
const ENDS: ReadonlySet<unknown> = new Set(["response.completed", "response.incomplete", "response.failed", "response.cancelled"]);
const LINE_FEED = 0x0a;

/**
 * What the events of a streamed response have told so far. The last one carries the whole response with its usage;
 * it is the closing event, and no event is withheld. Everything between is only weighed.
 */
export class StreamMeter implements EventMeter {
  usage: readonly UsageLine[] | undefined = undefined;
  problem: UsageProblem | undefined = "missing";
  rawUsage: string | undefined = undefined;
  model: string | undefined = undefined;
  responseId: string | undefined = undefined;
  /** What was generated comes twice: in pieces, and whole, where hidden reasoning shows as well. */
  #deltaBytes = 0;
  #itemBytes = 0;
  #ended = false;
  #failed = false;

  takePlain(text: string): boolean {
    const { length } = text;
    if (text.charCodeAt(length - 1) !== LINE_FEED || text.charCodeAt(length - 2) !== LINE_FEED || text.includes("\r")) return false;
    if (text.includes("[DONE]") || WHOLE.test(text)) return false;
    for (let at = 0; at < length; ) {
      const end = text.indexOf("\n\n", at);
      // A blank line too many.
      if (end < 0) break;
      this.#weigh(text.slice(at, end));
      at = end + 2;
    }
    return true;
  }

  take(event: string): Verdict {
    if (WHOLE.test(event) || event.includes("[DONE]")) return this.#look(event);
    this.#weigh(event);
    return "pass";
  }

  takeRest(rest: string): Verdict {
    const event = rest.replace(/[\r\n]+$/, "");
    const data = dataOf(event);
    if (data !== undefined && (data.trim() === "[DONE]" || parseOrUndefined(data) !== undefined)) return this.take(event);
    this.#deltaBytes += event.length;
    return "pass";
  }

  takeUnread(bytes: number): void {
    this.#deltaBytes += bytes;
  }

  fork(): StreamMeter {
    const copy = new StreamMeter();
    copy.usage = this.usage;
    copy.problem = this.problem;
    copy.rawUsage = this.rawUsage;
    copy.model = this.model;
    copy.responseId = this.responseId;
    copy.#deltaBytes = this.#deltaBytes;
    copy.#itemBytes = this.#itemBytes;
    copy.#ended = this.#ended;
    copy.#failed = this.#failed;
    return copy;
  }

  reading(): Reading {
    const { usage, problem, rawUsage, model, responseId } = this;
    return { usage, problem, rawUsage, model, responseId, outputBytes: Math.max(this.#deltaBytes, this.#itemBytes), complete: this.#ended && !this.#failed };
  }

  #weigh(event: string): void {
    if (DELTA.test(event)) this.#deltaBytes += event.length;
    else if (ITEM_DONE.test(event)) this.#itemBytes += event.length;
  }

  #look(text: string): Verdict {
    const data = dataOf(text);
    // Some servers close as chat completions do, after the last event or instead of it.
    if (data !== undefined && data.trim() === "[DONE]") return "close";
    const event = data === undefined ? undefined : parseOrUndefined(data);
    if (data === undefined || !isObject(event)) return "pass";
    const { type, response }: StreamEvent = event;
    if (type === "error") this.#failed = true;
    if (isObject(response)) this.#identify(response);
    else this.#weigh(text);
    if (!ENDS.has(type)) return "pass";
    this.#ended = true;
    this.#failed ||= type === "response.failed" || type === "response.cancelled";
    this.#believe(data);
    return "close";
  }

  #identify(response: JsonObject): void {
    // The last one decides: a provider may learn only later which model answers.
    this.model = nonEmpty(response["model"]) ?? this.model;
    this.responseId = nonEmpty(response["id"]) ?? this.responseId;
  }

  #believe(data: string): void {
    const rawUsage = memberOf(memberOf(data, "response"), "usage");
    const usage = parseOrUndefined(rawUsage);
    if (!isObject(usage)) return;
    this.rawUsage = rawUsage;
    const found = readUsage(usage, this.model, memberOf(memberOf(data, "response"), "output"));
    this.usage = typeof found === "string" ? undefined : found;
    this.problem = typeof found === "string" ? found : undefined;
  }
}

/** A member of a JSON object as it came; empty if there is none. */
function memberOf(json: string, name: string): string {
  for (const scan = new MemberScan(json, 0, Number.MAX_SAFE_INTEGER); scan.next(); ) {
    if (scan.named(name)) return json.slice(scan.valueStart, scan.valueEnd);
  }
  return "";
}
