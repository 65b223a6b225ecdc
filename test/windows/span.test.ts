import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/domain/windows/parse-duration.ts";
import { spanAt } from "../../src/domain/windows/span.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WeekDay, type WindowSpec } from "../../src/domain/windows/window.ts";
import { startOfLocalDay } from "../../src/domain/windows/zone.ts";
import { clockChanges, wallDate, ZONES } from "./calendars.ts";

type AlignedSpec = Extract<WindowSpec, { kind: "aligned" }>;

function aligned(text: string, zone = "UTC", weekStart: WeekDay = 0): AlignedSpec {
  return { kind: "aligned", duration: parseDuration(text), zone, weekStart };
}

function textOf(spec: WindowSpec, at: string): [string, string] {
  const { start, end } = spanAt(spec, Date.parse(at));
  return [new Date(start).toISOString().replace(":00.000Z", "Z"), new Date(end).toISOString().replace(":00.000Z", "Z")];
}

const at = "2026-07-15T17:45:20Z"; // A Wednesday.

describe("6.2 where windows start and end", () => {
  it.each<[string, string, WeekDay, string, string]>([
    // Ns, Nm, Nh count from the Unix epoch, whatever the zone.
    ["5m", "UTC", 0, "2026-07-15T17:45Z", "2026-07-15T17:50Z"],
    ["90m", "UTC", 0, "2026-07-15T16:30Z", "2026-07-15T18:00Z"],
    ["1h", "UTC", 0, "2026-07-15T17:00Z", "2026-07-15T18:00Z"],
    ["1h", "Asia/Kathmandu", 0, "2026-07-15T17:00Z", "2026-07-15T18:00Z"],
    ["48h", "America/New_York", 0, "2026-07-14T00:00Z", "2026-07-16T00:00Z"],
    ["12h", "America/New_York", 0, "2026-07-15T12:00Z", "2026-07-16T00:00Z"],
    // 24h = 1d: midnight.
    ["24h", "UTC", 0, "2026-07-15T00:00Z", "2026-07-16T00:00Z"],
    ["24h", "America/New_York", 0, "2026-07-15T04:00Z", "2026-07-16T04:00Z"],
    ["1d", "America/New_York", 0, "2026-07-15T04:00Z", "2026-07-16T04:00Z"],
    ["daily", "Asia/Kathmandu", 0, "2026-07-14T18:15Z", "2026-07-15T18:15Z"],
    // 7d = 1w: Sunday 00:00, or another day.
    ["7d", "UTC", 0, "2026-07-12T00:00Z", "2026-07-19T00:00Z"],
    ["1w", "UTC", 0, "2026-07-12T00:00Z", "2026-07-19T00:00Z"],
    ["weekly", "America/New_York", 0, "2026-07-12T04:00Z", "2026-07-19T04:00Z"],
    ["7d", "UTC", 1, "2026-07-13T00:00Z", "2026-07-20T00:00Z"],
    ["7d", "UTC", 3, "2026-07-15T00:00Z", "2026-07-22T00:00Z"],
    ["7d", "UTC", 4, "2026-07-09T00:00Z", "2026-07-16T00:00Z"],
    ["7d", "UTC", 6, "2026-07-11T00:00Z", "2026-07-18T00:00Z"],
    ["7d", "Asia/Kathmandu", 1, "2026-07-12T18:15Z", "2026-07-19T18:15Z"],
    // Other Nw: from the week of Sunday 4 January 1970, 2,948 weeks before Sunday 5 July 2026.
    ["2w", "UTC", 0, "2026-07-05T00:00Z", "2026-07-19T00:00Z"],
    ["2w", "UTC", 1, "2026-07-13T00:00Z", "2026-07-27T00:00Z"],
    // 30d = 1mo: the 1st.
    ["30d", "UTC", 0, "2026-07-01T00:00Z", "2026-08-01T00:00Z"],
    ["1mo", "UTC", 0, "2026-07-01T00:00Z", "2026-08-01T00:00Z"],
    ["monthly", "America/New_York", 0, "2026-07-01T04:00Z", "2026-08-01T04:00Z"],
    // Other Nd: local days since 1970-01-01; 15 July 2026 is day 20,649.
    ["2d", "UTC", 0, "2026-07-14T00:00Z", "2026-07-16T00:00Z"],
    ["3d", "UTC", 0, "2026-07-15T00:00Z", "2026-07-18T00:00Z"],
    ["14d", "UTC", 0, "2026-07-02T00:00Z", "2026-07-16T00:00Z"],
    // Nmo: months since 1970-01.
    ["2mo", "UTC", 0, "2026-07-01T00:00Z", "2026-09-01T00:00Z"],
    ["3mo", "UTC", 0, "2026-07-01T00:00Z", "2026-10-01T00:00Z"],
    ["5mo", "UTC", 0, "2026-04-01T00:00Z", "2026-09-01T00:00Z"],
    ["12mo", "UTC", 0, "2026-01-01T00:00Z", "2027-01-01T00:00Z"],
    ["yearly", "Asia/Kathmandu", 0, "2025-12-31T18:15Z", "2026-12-31T18:15Z"],
  ])("6.2 %s in %s, weeks from day %i", (text, zone, weekStart, start, end) => {
    expect(textOf(aligned(text, zone, weekStart), at)).toEqual([start, end]);
  });

  it.each([
    ["a day of 23 hours", "24h", "America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z"],
    ["a day of 25 hours", "24h", "America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"],
    ["a day of 23.5 hours", "1d", "Australia/Lord_Howe", "2026-10-03T20:00:00Z", "2026-10-03T13:30Z", "2026-10-04T13:00Z"],
    ["a week over a change", "7d", "America/New_York", "2026-03-10T00:00:00Z", "2026-03-08T05:00Z", "2026-03-15T04:00Z"],
    ["a month over a change", "30d", "America/New_York", "2026-03-20T00:00:00Z", "2026-03-01T05:00Z", "2026-04-01T04:00Z"],
    ["the last instant before a jump over midnight", "1d", "America/Havana", "2026-03-08T04:59:59.999Z", "2026-03-07T05:00Z", "2026-03-08T05:00Z"],
    ["before a day left out", "1d", "Pacific/Apia", "2011-12-30T09:59:59.999Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z"],
    ["after a day left out", "1d", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"],
    ["the first minute of a date that is then shown twice", "1d", "America/St_Johns", "2006-10-29T02:30:30Z", "2006-10-29T02:30Z", "2006-10-30T03:30Z"],
    ["the old date shown again: the new day stays begun", "1d", "America/St_Johns", "2006-10-29T02:45:00Z", "2006-10-29T02:30Z", "2006-10-30T03:30Z"],
    ["before the epoch", "30d", "UTC", "1969-07-20T20:17:00Z", "1969-07-01T00:00Z", "1969-08-01T00:00Z"],
    ["a leap day", "1mo", "UTC", "2028-02-29T23:59:59.999Z", "2028-02-01T00:00Z", "2028-03-01T00:00Z"],
  ])("6.2 %s (%s, %s, %s)", (_, text, zone, instant, start, end) => {
    expect(textOf(aligned(text, zone), instant)).toEqual([start, end]);
  });

  it("6.2 no duration: for ever, from `since` on if there is one", () => {
    expect(spanAt(LIFETIME, Date.parse(at))).toEqual({ start: 0, end: Infinity });
    expect(spanAt({ kind: "lifetime", since: 1_000 }, Date.parse(at))).toEqual({ start: 1_000, end: Infinity });
    expect(spanAt({ kind: "lifetime", since: 1_000 }, 999)).toEqual({ start: 0, end: 1_000 });
  });

  it("sliding windows and slots never roll over", () => {
    for (const spec of [MINUTE_SLIDING, NOW]) expect(spanAt(spec, Date.parse(at))).toEqual({ start: 0, end: Infinity });
  });

  it("1.2 `since` cuts the span that it falls into, and no other", () => {
    const since = Date.parse("2026-07-10T09:00:00Z");
    const spec: WindowSpec = { ...aligned("30d"), since };
    expect(textOf(spec, at)).toEqual(["2026-07-10T09:00Z", "2026-08-01T00:00Z"]);
    expect(textOf(spec, "2026-07-10T08:59:59.999Z")).toEqual(["2026-07-01T00:00Z", "2026-07-10T09:00Z"]);
    expect(textOf(spec, "2026-08-01T00:00:00Z")).toEqual(["2026-08-01T00:00Z", "2026-09-01T00:00Z"]);
    expect(textOf(spec, "2026-06-30T00:00:00Z")).toEqual(["2026-06-01T00:00Z", "2026-07-01T00:00Z"]);
  });

  it.each([NaN, Infinity, 0.5])("an instant of %d is a defect, never a window", (epochMs) => {
    expect(() => spanAt(aligned("1d"), epochMs)).toThrow("whole milliseconds");
  });
});

const durations = fc.oneof(
  fc.constantFrom("24h", "1d", "7d", "1w", "30d", "1mo", "12mo", "48h", "168h", "720h"),
  fc.record({ count: fc.integer({ min: 1, max: 100 }), unit: fc.constantFrom("s", "m", "h", "d", "w", "mo") }).map(({ count, unit }) => `${count}${unit}`),
);
const weekStarts = fc.constantFrom<WeekDay>(0, 1, 2, 3, 4, 5, 6);
const specs = fc.record({ text: durations, zone: fc.constantFrom(...ZONES), weekStart: weekStarts }).map(({ text, zone, weekStart }) => aligned(text, zone, weekStart));

/** Clock changes of 2024 to 2027, and days with odd histories. */
const changes = ZONES.flatMap((zone) => clockChanges(zone, Date.UTC(2024, 0), Date.UTC(2028, 0)).map((change) => ({ zone, change })));
const oddities = [
  { zone: "Pacific/Apia", change: Date.parse("2011-12-30T10:00:00Z") },
  { zone: "Pacific/Kwajalein", change: Date.parse("1993-08-21T12:00:00Z") },
  { zone: "America/St_Johns", change: Date.parse("2006-10-29T02:31:00Z") },
  { zone: "America/Toronto", change: Date.parse("1919-03-31T04:30:00Z") },
  { zone: "Africa/Monrovia", change: Date.parse("1972-01-07T00:44:30Z") },
];
const nearChanges = fc
  .record({ where: fc.constantFrom(...changes, ...oddities), text: durations, weekStart: weekStarts, awayMs: fc.integer({ min: -50 * 3_600_000, max: 50 * 3_600_000 }) })
  .map(({ where, text, weekStart, awayMs }) => ({ spec: aligned(text, where.zone, weekStart), epochMs: where.change + awayMs }));
const anywhere = fc.record({ spec: specs, epochMs: fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) }) });
const cases = fc.oneof(nearChanges, anywhere).chain(({ spec, epochMs }) =>
  fc
    .option(fc.integer({ min: epochMs - 40 * 86_400_000, max: epochMs + 40 * 86_400_000 }), { nil: undefined })
    .map((since): { spec: AlignedSpec; epochMs: number } => ({ spec: since === undefined ? spec : { ...spec, since }, epochMs })),
);

describe("6.2 spans partition time", () => {
  it("covers the clock changes of 2024 to 2027", () => {
    expect(changes.length).toBeGreaterThan(60);
    expect(new Set(changes.map(({ zone }) => zone))).toContain("Africa/Cairo");
  });

  it("6.2 every instant lies in one span, each span starts where the one before ended", () => {
    fc.assert(
      fc.property(cases, ({ spec, epochMs }) => {
        const span = spanAt(spec, epochMs);
        expect(span.start).toBeLessThanOrEqual(epochMs);
        expect(span.end).toBeGreaterThan(epochMs);
        expect(spanAt(spec, span.start)).toEqual(span);
        expect(spanAt(spec, span.end - 1)).toEqual(span);
        expect(spanAt(spec, Math.floor((span.start + span.end) / 2))).toEqual(span);
        expect(spanAt(spec, span.end).start).toBe(span.end);
        expect(spanAt(spec, span.start - 1).end).toBe(span.start);
      }),
      { numRuns: 1_500 },
    );
  });

  it("6.2 a window starts at the latest start that has come, by the calendar counted out day by day", () => {
    fc.assert(
      fc.property(fc.oneof(nearChanges, anywhere), ({ spec, epochMs }) => {
        const starts = startsByHand(spec, epochMs);
        if (starts === undefined) return;
        const latest = starts.filter((start) => start <= epochMs).at(-1);
        const next = starts.find((start) => start > epochMs);
        expect(spanAt(spec, epochMs)).toEqual({ start: latest, end: next });
      }),
      { numRuns: 300 },
    );
  });

  it("6.2 a new day begins exactly when the wall calendar first shows it, hour by hour over four years of clock changes", () => {
    for (const { zone, change } of changes) {
      const spec = aligned("24h", zone);
      for (let epochMs = change - 30 * 3_600_000; epochMs < change + 30 * 3_600_000; epochMs += 3_600_000) {
        const { start, end } = spanAt(spec, epochMs);
        const shown = wallDate(epochMs, zone);
        if (shown !== wallDate(start, zone) || shown >= wallDate(end, zone)) expect.fail(`${new Date(epochMs).toISOString()} in ${zone} is not in its day`);
      }
    }
  });
});

/** The starts of all windows near an instant, from the rule's words: walks over the days since the origin. `undefined` for epoch-aligned durations. */
function startsByHand(spec: AlignedSpec, epochMs: number): number[] | undefined {
  const { count, unit } = spec.duration;
  if (unit === "s" || unit === "m" || (unit === "h" && count !== 24)) return undefined;
  const firstWeek = [3, -3, -2, -1, 0, 1, 2][spec.weekStart] ?? 0;
  const reachDays = count * (unit === "mo" ? 31 : unit === "w" ? 7 : 1) + 35;
  const today = Math.floor(epochMs / 86_400_000);
  const starts: number[] = [];
  for (let day = today - reachDays; day <= today + reachDays; day += 1) {
    const date = new Date(day * 86_400_000);
    const months = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
    const isMonth = unit === "mo" || (unit === "d" && count === 30);
    const isWeek = unit === "w" || (unit === "d" && count === 7);
    let first: boolean;
    if (isMonth) first = date.getUTCDate() === 1 && months % (unit === "mo" ? count : 1) === 0;
    else if (isWeek) first = (day - firstWeek) % (unit === "w" ? 7 * count : 7) === 0;
    else first = unit === "h" || day % count === 0;
    if (first) starts.push(startOfLocalDay(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), spec.zone));
  }
  return starts;
}
