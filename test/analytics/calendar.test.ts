import { expect, test } from "vitest";
import { calendarSpan, calendarSpans } from "../../src/domain/analytics/calendar.ts";
import { clockChanges } from "../windows/calendars.ts";

test.each(["Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"])("the hours of a year in %s follow each other without gap or overlap, and each is the hour that holds its instants", (zone) => {
  const [from, to] = [Date.UTC(2026, 0, 1, 5, 17), Date.UTC(2027, 0, 1)];
  const hours = calendarSpans("hour", from, to, zone, 0);
  expect([hours[0]?.start, hours.at(-1)?.end]).toEqual([from, to]);
  for (const [i, hour] of hours.entries()) if (i > 0) expect(hour.start).toBe(hours[i - 1]?.end);
  expect(new Set(hours.map((hour) => hour.name)).size).toBe(hours.length);
  // Around the changes, where it is hard, and here and there.
  const near = clockChanges(zone, from, to).flatMap((change) => hours.filter((hour) => Math.abs(hour.start - change) < 30 * 3_600_000));
  for (const hour of [...near, ...hours.filter((_, i) => i > 0 && i % 97 === 0 && i < hours.length - 1)]) expect(calendarSpan("hour", hour.start, zone, 0)).toEqual({ start: hour.start, end: hour.end });
});
