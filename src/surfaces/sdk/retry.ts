import type { UpstreamHeaders } from "../../engine/call.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8_000;
const RETRIED: ReadonlySet<number> = new Set([408, 409, 429]);

/** Whether an answer of this status is worth another try; `x-should-retry` decides where a server says it. */
export function isRetried(status: number, headers: UpstreamHeaders): boolean {
  const said = textOf(headers["x-should-retry"]);
  if (said === "true") return true;
  if (said === "false") return false;
  return RETRIED.has(status) || status >= 500;
}

/**
 * Milliseconds until the next try: what `retry-after-ms` or `retry-after` (seconds or a date) says, else half a second
 * doubled with each try up to eight seconds, less a random quarter.
 */
export function retryDelayMs(tries: number, headers: UpstreamHeaders, now: number, random: () => number): number {
  const said = saidDelayMs(headers, now);
  if (said !== undefined) return said;
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), LONGEST_DELAY_MS);
  return delay * (1 - random() / 4);
}

function saidDelayMs(headers: UpstreamHeaders, now: number): number | undefined {
  const ms = Number(textOf(headers["retry-after-ms"]) ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const after = textOf(headers["retry-after"]);
  if (after === undefined) return undefined;
  const seconds = Number(after);
  if (Number.isFinite(seconds)) return seconds >= 0 ? seconds * 1_000 : undefined;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function textOf(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined || text.trim() === "" ? undefined : text.trim();
}
