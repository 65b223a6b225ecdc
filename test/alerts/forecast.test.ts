import { expect, test } from "vitest";
import { usd } from "../monitor/ledger.ts";
import { median, type DayValue } from "../../src/domain/alerts/band.ts";
import { forecastOf, type ForecastQuestion } from "../../src/domain/alerts/forecast.ts";
import { weekDayOf } from "../../src/domain/alerts/history.ts";
import { dollars, percentOf } from "../../src/domain/alerts/words.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-24T12:00:00Z");

function history(costs: readonly number[]): DayValue[] {
  return costs.map((cost, index) => {
    const date = new Date(Date.parse("2026-11-24T00:00:00Z") - (costs.length - index) * DAY).toISOString().slice(0, 10);
    return { date, weekDay: weekDayOf(date), cost: usd(cost) };
  });
}

const question = (part: Partial<ForecastQuestion>): ForecastQuestion => ({ now: NOW, calendar: { timeZone: "UTC", weekStart: 0 }, before: [], spent: 0n, amount: null, end: Date.parse("2026-12-01T00:00:00Z"), ...part });

test("with fewer than seven whole days a forecast says so, and no figure", () => {
  expect(forecastOf(question({}))).toEqual({ enough: false, historyDays: 0, reason: "There are 0 whole days of history; a forecast needs 7." });
  // The first day with costs is no whole one.
  expect(forecastOf(question({ before: history([0, 0, 5, 1, 1, 1, 1, 1, 1]) }))).toMatchObject({ enough: false, historyDays: 6 });
  expect(forecastOf(question({ before: history([0, 5, 1, 1, 1, 1, 1, 1, 1]) }))).toMatchObject({ enough: true, historyDays: 7, burnPerDay: { low: 1, expected: 1, high: 1 } });
});

test("weekends are forecast as weekends: the end of the month is exact where weeks repeat", () => {
  const week = (date: Date): number => (date.getUTCDay() % 6 === 0 ? 1 : 10);
  const before = history(Array.from({ length: 29 }, (_, index) => week(new Date(Date.parse("2026-11-24T00:00:00Z") - (29 - index) * DAY))));
  // Half of Tuesday, then Wednesday to Friday, the weekend, Monday.
  expect(forecastOf(question({ before, spent: usd(100) }))).toMatchObject({ historyDays: 28, atEnd: { low: 147, expected: 147, expectedExact: "147", high: 147 }, exhaustion: null });
  // $5 are left for today, $10 for Wednesday: gone in the middle of Wednesday.
  expect(forecastOf(question({ before, spent: usd(90), amount: usd(100) }))).toMatchObject({ exhaustion: { earliest: "2026-11-25T12:00:00.000Z", expected: "2026-11-25T12:00:00.000Z" } });
});

test("the band holds what is expected, and widens with how much days differ; a budget may last", () => {
  const before = history(Array.from({ length: 29 }, (_, index) => [2, 5, 8, 20][Math.floor(index / 7) % 4] as number));
  const forecast = forecastOf(question({ before, amount: usd(60) }));
  if (!forecast.enough || forecast.exhaustion === null) throw new Error("no forecast");
  const { earliest, expected, latest } = forecast.exhaustion;
  expect(forecast.burnPerDay.low).toBeLessThan(forecast.burnPerDay.expected);
  expect(forecast.burnPerDay.high).toBeGreaterThanOrEqual(forecast.burnPerDay.expected);
  expect(Date.parse(earliest as string)).toBeLessThanOrEqual(Date.parse(expected ?? "2026-12-01"));
  expect(latest).toBeNull();
  expect(forecastOf(question({ before, spent: usd(60), amount: usd(60) }))).toMatchObject({ exhaustion: { earliest: new Date(NOW).toISOString(), latest: new Date(NOW).toISOString() } });
});

test("days have the length that the zone gives them: a day of 25 hours is spent as one day", () => {
  const before = Array.from({ length: 29 }, (_, index) => ({ date: "", weekDay: index % 7, cost: usd(index === 0 ? 1 : 25) }));
  const now = Date.parse("2026-11-01T04:00:00Z");
  const forecast = forecastOf(question({ now, calendar: { timeZone: "America/New_York", weekStart: 0 }, before, amount: usd(10), end: Infinity }));
  if (!forecast.enough) throw new Error("no forecast");
  expect(forecast.exhaustion?.expected).toBe("2026-11-01T14:00:00.000Z");
});

test("sentences show dollars as people write them, and never show a limit as reached that is not", () => {
  expect([0n, 1n, 157_500n, usd(0.5), usd(1), usd(999.995), usd(1_234.5), usd(1_234_567), -usd(3)].map(dollars)).toEqual(["$0.00", "$0.000000001", "$0.000158", "$0.50", "$1.00", "$1,000.00", "$1,234.50", "$1,234,567.00", "-$3.00"]);
  expect(percentOf(usd(99.999), usd(100))).toBe(99.9);
  expect([median([]), median([3n]), median([3n, 1n]), median([9n, 1n, 2n])]).toEqual([0n, 3n, 2n, 2n]);
});
