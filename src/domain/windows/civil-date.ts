/** A day of the Gregorian calendar, without a time zone. Months count from 1. */
export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export const DAY_MS = 86_400_000;

/** Days since 1970-01-01. @example dayNumber({ year: 1970, month: 1, day: 4 }) // 3 */
export function dayNumber(date: CivilDate): number {
  return Date.UTC(date.year, date.month - 1, date.day) / DAY_MS;
}

/** The date of a day number. */
export function dateOfDay(day: number): CivilDate {
  const date = new Date(day * DAY_MS);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** Months since January 1970. */
export function monthNumber(date: CivilDate): number {
  return (date.year - 1970) * 12 + date.month - 1;
}

/** The day number of the first day of a month given by its number. */
export function firstDayOfMonth(month: number): number {
  return Date.UTC(1970, month, 1) / DAY_MS;
}
