import { TollgateError } from "../../base/errors.ts";
import { DAY_MS, dateOfDay, dayNumber, type CivilDate } from "./civil-date.ts";

const HOUR_MS = 3_600_000;

/** No zone was ever further than 16 hours from UTC. */
const FURTHEST_HOURS = 16;

/** Names of UTC itself; they need no `Intl`, and share one identity. */
const UTC_NAMES: ReadonlySet<string> = new Set(["utc", "etc/utc", "etc/uct", "etc/universal", "etc/zulu", "uct", "universal", "zulu", "gmt", "etc/gmt"]);

/** Starts are asked for again and again (each key has the same months); the memory is bounded per zone. */
const STARTS_KEPT = 4_096;

interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** First instants of local days, by day number. */
  readonly starts: Map<number, number>;
}

const zones = new Map<string, Zone>();

/**
 * Checks an IANA time zone name. The name is kept as it was given, except for upper and lower case: what `Intl` takes
 * for canonical changes between releases, and a counter's identity must not.
 *
 * @returns the name to store: `"America/New_York"`, or `"UTC"` for every name of UTC
 * @throws TollgateError `invalid_time_zone`, with the nearest names where there are any
 */
export function checkZone(name: string, options: { readonly param?: string } = {}): string {
  if (UTC_NAMES.has(name.toLowerCase())) return "UTC";
  const resolved = /^[A-Za-z]/.test(name) ? resolve(name) : undefined;
  if (resolved !== undefined) return resolved.toLowerCase() === name.toLowerCase() ? resolved : name;
  const param = options.param ?? "timezone";
  const shown = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
  const near = nearestNames(name);
  const hint = near.length === 0 ? 'such as "UTC", "Europe/Berlin" or "America/New_York"' : `did you mean ${near.map((other) => `"${other}"`).join(" or ")}`;
  throw new TollgateError("invalid_time_zone", `${param} ${shown} must be an IANA time zone name; ${hint}${near.length === 0 ? "." : "?"}`, { param });
}

/** The date that a wall calendar in `zone` shows at `epochMs`. */
export function localDateOf(epochMs: number, zone: string): CivilDate {
  return dateOfDay(localDayOf(epochMs, zone));
}

/** The same as a number: days since 1970-01-01. */
export function localDayOf(epochMs: number, zone: string): number {
  return Math.floor((epochMs + offsetMs(epochMs, zone)) / DAY_MS);
}

/**
 * The first instant whose local date is this one or a later one. That is midnight on most days; later where clocks
 * jump over midnight; the first of two where they fall back over it; and the start of the next day where a zone left
 * the day out (Samoa had no 30 December 2011).
 *
 * @returns epoch milliseconds
 */
export function startOfLocalDay(year: number, month: number, day: number, zone: string): number {
  return startOfDayNumber(dayNumber({ year, month, day }), zone);
}

/** The same for a day number. */
export function startOfDayNumber(day: number, zone: string): number {
  if (zone === "UTC") return day * DAY_MS;
  const { starts } = zoneOf(zone);
  const known = starts.get(day);
  if (known !== undefined) return known;
  const start = findStart(day * DAY_MS, zone);
  if (starts.size >= STARTS_KEPT) starts.clear();
  starts.set(day, start);
  return start;
}

/**
 * The first instant at which local time, which may jump both ways, reaches `wallMs` (local time written as if it were
 * UTC). Walks by the hour, since no zone changes twice within one, and looks closer where the offset changed.
 */
function findStart(wallMs: number, zone: string): number {
  let from = wallMs - FURTHEST_HOURS * HOUR_MS;
  let offset = offsetMs(from, zone);
  for (let i = 0; i < 2 * FURTHEST_HOURS; i += 1) {
    const to = from + HOUR_MS;
    const offsetAfter = offsetMs(to, zone);
    const changeAt = offsetAfter === offset ? Infinity : changeWithin(from, to, zone);
    // May lie before `from`: what an hour with a change had left after it is looked at here.
    const reachedAt = wallMs - offset;
    if (reachedAt <= to && reachedAt < changeAt) return reachedAt;
    if (changeAt <= to && changeAt + offsetAfter >= wallMs) return changeAt;
    from = to;
    offset = offsetAfter;
  }
  throw new Error(`Broken invariant: no start of the local day at ${wallMs} in ${zone}`);
}

/** The first instant in `(from, to]` that has the offset of `to`. Clocks change on whole seconds. */
function changeWithin(from: number, to: number, zone: string): number {
  const after = offsetMs(to, zone);
  let before = from;
  let at = to;
  while (at - before > 1_000) {
    const middle = Math.floor((before + at) / 2_000) * 1_000;
    if (offsetMs(middle, zone) === after) at = middle;
    else before = middle;
  }
  return at;
}

/** Local time minus UTC. Whole seconds: local mean times before about 1900 (Liberia: until 1972) have no whole minutes. */
export function offsetMs(epochMs: number, zone: string): number {
  if (zone === "UTC") return 0;
  const second = Math.floor(epochMs / 1_000) * 1_000;
  let year = 0;
  let month = 0;
  let day = 0;
  let hour = 0;
  let minute = 0;
  let seconds = 0;
  for (const { type, value } of zoneOf(zone).format.formatToParts(second)) {
    if (type === "year") year = Number(value);
    else if (type === "month") month = Number(value);
    else if (type === "day") day = Number(value);
    else if (type === "hour") hour = Number(value);
    else if (type === "minute") minute = Number(value);
    else if (type === "second") seconds = Number(value);
  }
  return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
}

function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = { format: formatOf(name), starts: new Map() };
    zones.set(name, zone);
  }
  return zone;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
}

function resolve(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** Up to three known names that hold the same city, such as `Europe/Berlin` for `Berlin` or `Europe/berlin city`. */
function nearestNames(name: string): string[] {
  const city = name.slice(name.lastIndexOf("/") + 1).trim().replaceAll(" ", "_").toLowerCase();
  const names = Intl.supportedValuesOf("timeZone");
  const holding = city.length < 3 ? [] : names.filter((known) => known.toLowerCase().includes(city));
  if (holding.length > 0) return holding.slice(0, 3);
  return names.filter((known) => sameLetters(known) === sameLetters(name)).slice(0, 3);
}

/** Catches swapped letters, the commonest slip, and forgotten separators. */
function sameLetters(name: string): string {
  return name.length > 64 ? "" : [...name.toLowerCase().replace(/[^a-z]/g, "")].sort().join("");
}
