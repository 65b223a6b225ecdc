import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/domain/windows/parse-duration.ts";
import { spanAt } from "../../src/domain/windows/span.ts";
import { describeWindow, windowText } from "../../src/domain/windows/window-text.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WeekDay, type WindowSpec } from "../../src/domain/windows/window.ts";
import { ZONES } from "./calendars.ts";

function aligned(text: string, zone = "UTC", weekStart: WeekDay = 0, since?: number): WindowSpec {
  const spec = { kind: "aligned", duration: parseDuration(text), zone, weekStart } as const;
  return since === undefined ? spec : { ...spec, since };
}

const specs: fc.Arbitrary<WindowSpec> = fc.oneof(
  fc
    .record({
      count: fc.constantFrom(1, 2, 7, 12, 24, 30, 60, 1_440),
      unit: fc.constantFrom("s", "m", "h", "d", "w"),
      zone: fc.constantFrom(...ZONES),
      weekStart: fc.constantFrom<WeekDay>(0, 1, 6),
      since: fc.option(fc.constantFrom(0, 1, 1_700_000_000_000), { nil: undefined }),
    })
    .map(({ count, unit, zone, weekStart, since }) => aligned(`${count}${unit}`, zone, weekStart, since)),
  fc.constantFrom<WindowSpec>(LIFETIME, { kind: "lifetime", since: 0 }, { kind: "lifetime", since: 1 }, NOW, MINUTE_SLIDING, { kind: "sliding", spanMs: 1_000 }),
);

describe("1.2 the identity of a counter's window", () => {
  it.each([
    [aligned("30d", "America/New_York"), 1_769_922_000_000, "1month,America/New_York@1769922000000"],
    [aligned("7d", "UTC", 1), 0, "1week,UTC,from1@0"],
    [aligned("1h", "America/New_York"), 3_600_000, "3600second@3600000"],
    [aligned("2d", "UTC", 0, 5), 5, "2day,UTC,since5@5"],
    [LIFETIME, 0, "lifetime@0"],
    [{ kind: "lifetime", since: 5 } as const, 5, "lifetime,since5@5"],
    [MINUTE_SLIDING, 123, "sliding60000"],
    [NOW, 123, "now"],
  ])("%j at %i is %s, now and in every release", (spec, start, text) => {
    expect(windowText(spec, start)).toBe(text);
  });

  it.each([
    ["24h", "1d"],
    ["7d", "1w"],
    ["30d", "1mo"],
    ["60m", "1h"],
    ["yearly", "12mo"],
  ])("%s and %s are one window, so that a rewritten configuration keeps its counts", (one, other) => {
    expect(windowText(aligned(one, "Asia/Kathmandu"), 0)).toBe(windowText(aligned(other, "Asia/Kathmandu"), 0));
  });

  it("1.2 no two windows share a text: equal texts have equal spans everywhere, equal `since` and equal start", () => {
    const probes = [0, 5, Date.UTC(1999, 11, 31, 23), Date.UTC(2026, 6, 15, 17, 45), Date.UTC(2026, 6, 18, 23), Date.UTC(2027, 0, 1)];
    fc.assert(
      fc.property(specs, specs, fc.constantFrom(...probes), fc.constantFrom(...probes), (one, other, oneAt, otherAt) => {
        const oneStart = spanAt(one, oneAt).start;
        const otherStart = spanAt(other, otherAt).start;
        if (windowText(one, oneStart) !== windowText(other, otherStart)) return;
        expect(oneStart).toBe(otherStart);
        expect("since" in one ? one.since : undefined).toBe("since" in other ? other.since : undefined);
        expect(one.kind).toBe(other.kind);
        for (const probe of probes) expect(spanAt(one, probe)).toEqual(spanAt(other, probe));
      }),
      { numRuns: 5_000 },
    );
  });

  it("1.2 windows of one spec that start at different times have different texts", () => {
    fc.assert(
      fc.property(specs, fc.nat(4e12), fc.nat(4e12), (spec, one, other) => {
        const [first, second] = [spanAt(spec, one).start, spanAt(spec, other).start];
        expect(windowText(spec, first) === windowText(spec, second)).toBe(first === second);
      }),
    );
  });
});

describe("windows for people", () => {
  it.each([
    [aligned("30d", "America/New_York"), "30d (America/New_York)"],
    [aligned("24h"), "24h (UTC)"],
    [aligned("5m", "America/New_York"), "5m"],
    [aligned("7d", "Asia/Kathmandu", 1), "7d (Asia/Kathmandu, from Monday)"],
    [aligned("1mo", "UTC", 0, Date.UTC(2026, 6, 1)), "1mo (UTC, since 2026-07-01T00:00:00.000Z)"],
    [LIFETIME, "lifetime"],
    [{ kind: "lifetime", since: 0 } as const, "lifetime (since 1970-01-01T00:00:00.000Z)"],
    [MINUTE_SLIDING, "last 60 s"],
    [NOW, "in flight"],
  ])("%j is %s", (spec, text) => {
    expect(describeWindow(spec)).toBe(text);
  });
});
