import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TollgateError } from "../../src/base/errors.ts";
import { addLifetime, formatDuration, parseDuration } from "../../src/domain/windows/parse-duration.ts";
import type { Duration } from "../../src/domain/windows/window.ts";

const NONSENSE = [
  "", " ", "0d", "00d", "-1h", "-1", "+1h", "1e9d", "1.5h", "1,5h", " 1d", "1d ", "1 d", "1d\n", "\n1d", "1", "d", "mo", "1M", "1D", "1H",
  "1y", "1yr", "1min", "1months", "1d1h", "0x10d", "01d", "١d", "1ｄ", "NaNd", "Infinityd", "null", "Monthly", "month", "__proto__",
  "constructor", "36526d", "5218w", "1201mo", "876601h", "3155760001s", "52596001m", "99999999999999999999d", "9".repeat(5_000) + "d",
];

function errorOf(run: () => unknown): TollgateError {
  try {
    run();
  } catch (error) {
    if (error instanceof TollgateError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

describe("budget durations", () => {
  it.each(NONSENSE.map((text) => [text.slice(0, 30), text]))("refuses nonsense %j by name, with examples", (_, text) => {
    const error = errorOf(() => parseDuration(text, { param: "budget_duration" }));
    expect(error.code).toBe("invalid_duration");
    expect(error.param).toBe("budget_duration");
    expect(error.message).toMatch(/^budget_duration ".*must be a whole number from 1 and a unit .*"30d"/);
    expect(error.message.length).toBeLessThan(300);
    expect(error.message).not.toContain("\n");
  });

  it("says how to write years", () => {
    expect(errorOf(() => parseDuration("1y")).message).toContain('"12mo"');
    expect(errorOf(() => parseDuration("1d ")).message).not.toContain("Write years");
  });

  it.each<[string, Duration]>([
    ["1s", { count: 1, unit: "s" }],
    ["30s", { count: 30, unit: "s" }],
    ["5m", { count: 5, unit: "m" }],
    ["24h", { count: 24, unit: "h" }],
    ["7d", { count: 7, unit: "d" }],
    ["2w", { count: 2, unit: "w" }],
    ["1mo", { count: 1, unit: "mo" }],
    ["daily", { count: 1, unit: "d" }],
    ["weekly", { count: 1, unit: "w" }],
    ["monthly", { count: 1, unit: "mo" }],
    ["yearly", { count: 12, unit: "mo" }],
    ["36525d", { count: 36_525, unit: "d" }],
    ["5217w", { count: 5_217, unit: "w" }],
    ["1200mo", { count: 1_200, unit: "mo" }],
    ["876600h", { count: 876_600, unit: "h" }],
    ["52596000m", { count: 52_596_000, unit: "m" }],
    ["3155760000s", { count: 3_155_760_000, unit: "s" }],
  ])("reads %s", (text, duration) => {
    expect(parseDuration(text)).toEqual(duration);
  });

  it("reads back what it prints", () => {
    const durations = fc.record({ count: fc.integer({ min: 1, max: 1_200 }), unit: fc.constantFrom("s", "m", "h", "d", "w", "mo") });
    fc.assert(fc.property(durations, (duration) => void expect(parseDuration(formatDuration(duration))).toEqual(duration)));
  });

  it("never throws anything but invalid_duration", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+ ]?\d{0,20}[.e]?\d*(s|m|h|d|w|mo|y)?$/)), (text) => {
        try {
          const { count } = parseDuration(text);
          expect(Number.isSafeInteger(count) && count > 0).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_duration" });
        }
      }),
    );
  });
});

describe("key lifetimes", () => {
  const from = Date.UTC(2026, 0, 31, 13, 45, 6, 789);

  it.each([
    ["30s", "2026-01-31T13:45:36.789Z"],
    ["20m", "2026-01-31T14:05:06.789Z"],
    ["24h", "2026-02-01T13:45:06.789Z"],
    ["30d", "2026-03-02T13:45:06.789Z"],
    ["1w", "2026-02-07T13:45:06.789Z"],
    ["1mo", "2026-02-28T13:45:06.789Z"],
    ["2mo", "2026-03-31T13:45:06.789Z"],
    ["12mo", "2027-01-31T13:45:06.789Z"],
    ["25mo", "2028-02-29T13:45:06.789Z"],
  ])("%s ends at %s, not aligned to anything", (text, end) => {
    expect(new Date(addLifetime(from, text)).toISOString()).toBe(end);
  });

  it.each(["-1", "0m", "monthly", "", "1y"])("refuses %j by name, with examples", (text) => {
    const error = errorOf(() => addLifetime(from, text, { param: "duration" }));
    expect(error).toMatchObject({ code: "invalid_duration", param: "duration" });
    expect(error.message).toContain('"20m"');
  });
});
