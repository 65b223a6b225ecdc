import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dateOfDay, dayNumber } from "../../src/domain/windows/civil-date.ts";
import { checkZone, localDateOf, startOfLocalDay } from "../../src/domain/windows/zone.ts";
import { clockChanges, wallDate, ZONES } from "./calendars.ts";

describe("zone names", () => {
  it.each([
    ["UTC", "UTC"],
    ["utc", "UTC"],
    ["GMT", "UTC"],
    ["Etc/UTC", "UTC"],
    ["America/New_York", "America/New_York"],
    ["america/new_york", "America/New_York"],
    ["Asia/Kathmandu", "Asia/Kathmandu"],
    ["Europe/Kyiv", "Europe/Kyiv"],
    ["US/Eastern", "US/Eastern"],
  ])("takes %s and keeps it as %s", (name, kept) => {
    expect(checkZone(name)).toBe(kept);
  });

  it.each(["", " ", "Mars/Olympus", "+05:30", "Europe", "America/New_York ", "America/New_York\n", "__proto__", "x".repeat(10_000)])(
    "refuses %j with invalid_time_zone and an example",
    (name) => {
      expect(() => checkZone(name, { param: "timezone" })).toThrow(
        expect.objectContaining({ code: "invalid_time_zone", param: "timezone", message: expect.stringMatching(/^timezone ".*IANA time zone name; .{1,200}$/) }),
      );
    },
  );

  it.each([
    ["New York", "America/New_York"],
    ["Europe/berlin city", "Europe/Berlin"],
    ["Berlin", "Europe/Berlin"],
    ["America/New_Yrok", "America/New_York"],
    ["America/NewYork", "America/New_York"],
  ])("for %j names %s", (name, near) => {
    expect(() => checkZone(name)).toThrow(`"${near}"`);
  });
});

describe("the start of a local day", () => {
  it.each([
    ["an ordinary day", 2026, 3, 10, "UTC", "2026-03-10T00:00:00.000Z"],
    ["an offset of 5:45", 2026, 3, 10, "Asia/Kathmandu", "2026-03-09T18:15:00.000Z"],
    ["the day after clocks go forward at 2:00", 2026, 3, 9, "America/New_York", "2026-03-09T04:00:00.000Z"],
    ["the day on which they do", 2026, 3, 8, "America/New_York", "2026-03-08T05:00:00.000Z"],
    ["the day on which they go back", 2026, 11, 1, "America/New_York", "2026-11-01T04:00:00.000Z"],
    ["a change of half an hour", 2026, 4, 6, "Australia/Lord_Howe", "2026-04-05T13:30:00.000Z"],
    ["clocks that jump over midnight: the day starts at 1:00", 2026, 3, 8, "America/Havana", "2026-03-08T05:00:00.000Z"],
    ["the same in Cairo", 2026, 4, 24, "Africa/Cairo", "2026-04-23T22:00:00.000Z"],
    ["clocks that go back from 24:00 to 23:00: the day starts at the second midnight", 2026, 10, 30, "Africa/Cairo", "2026-10-29T22:00:00.000Z"],
    ["clocks that went back from 0:01 to 23:01: the day started a minute before", 2006, 10, 29, "America/St_Johns", "2006-10-29T02:30:00.000Z"],
    ["the day before a day left out", 2011, 12, 29, "Pacific/Apia", "2011-12-29T10:00:00.000Z"],
    ["a day left out starts with the next", 2011, 12, 30, "Pacific/Apia", "2011-12-30T10:00:00.000Z"],
    ["the next", 2011, 12, 31, "Pacific/Apia", "2011-12-30T10:00:00.000Z"],
    ["and the one after", 2012, 1, 1, "Pacific/Apia", "2011-12-31T10:00:00.000Z"],
    ["an offset of seconds", 1971, 6, 1, "Africa/Monrovia", "1971-06-01T00:44:30.000Z"],
  ])("%s (%i-%i-%i, %s)", (_, year, month, day, zone, start) => {
    expect(new Date(startOfLocalDay(year, month, day, zone)).toISOString()).toBe(start);
  });

  it("is the first instant with that date or a later one, on any day since 1900 in any zone", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: -25_567, max: 47_481 }), (zone, day) => {
        const { year, month, day: dayOfMonth } = dateOfDay(day);
        const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
        const start = startOfLocalDay(year, month, dayOfMonth, zone);
        expect(wallDate(start, zone) >= date).toBe(true);
        for (let before = start - 1; before > start - 30 * 3_600_000; before -= 600_000) expect(wallDate(before, zone) < date).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("is so, to the minute, around every clock change since 1970", () => {
    for (const zone of ZONES) {
      for (const change of clockChanges(zone, 0, Date.UTC(2028, 0), 5 * 86_400_000)) {
        const today = dayNumber(localDateOf(change, zone));
        for (const day of [today, today + 1]) {
          const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
          const { year, month, day: dayOfMonth } = dateOfDay(day);
          const start = startOfLocalDay(year, month, dayOfMonth, zone);
          expect(wallDate(start, zone) >= date, `${date} ${zone}`).toBe(true);
          for (let before = start - 1; before > start - 2 * 3_600_000; before -= 60_000) {
            if (wallDate(before, zone) >= date) expect.fail(`${date} in ${zone} was there before ${new Date(start).toISOString()}`);
          }
        }
      }
    }
  });

  it("shows the date that the wall calendar shows", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) }), (zone, epochMs) => {
        const date = localDateOf(epochMs, zone);
        expect(new Date(dayNumber(date) * 86_400_000).toISOString().slice(0, 10)).toBe(wallDate(epochMs, zone));
      }),
      { numRuns: 500 },
    );
  });
});
