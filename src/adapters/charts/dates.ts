import { textWidth } from "./text-width.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @example dateText("2026-11-24") // "Nov 24, 2026" */
export function dateText(date: string, withYear = true): string {
  const [year = "", month = "", day = ""] = date.slice(0, 10).split("-");
  return `${MONTHS[Number(month) - 1] ?? month} ${Number(day)}${withYear ? `, ${year}` : ""}`;
}

/** @example periodText("2026-11-01", "2026-11-30") // "Nov 1 – 30, 2026" */
export function periodText(first: string, last: string): string {
  if (first === last) return dateText(first);
  if (first.slice(0, 7) === last.slice(0, 7)) return `${dateText(first, false)} – ${Number(last.slice(8, 10))}, ${last.slice(0, 4)}`;
  return `${dateText(first, first.slice(0, 4) !== last.slice(0, 4))} – ${dateText(last)}`;
}

/**
 * Labels of a row of days, by index: as many as fit side by side with room between them. Long rows are marked at the first of months.
 * @param pixels of the whole row
 */
export function dayLabels(dates: readonly string[], pixels: number, size: number): ReadonlyMap<number, string> {
  const each = pixels / Math.max(1, dates.length);
  const months = dates.length > 92;
  const years = new Set(dates.map((date) => date.slice(0, 4))).size > 1;
  const text = (date: string): string => (months ? `${MONTHS[Number(date.slice(5, 7)) - 1] ?? ""}${years ? ` ${date.slice(0, 4)}` : ""}` : dateText(date, false));
  const candidates = [...dates.entries()].filter(([, date]) => !months || date.endsWith("-01"));
  const needed = Math.max(1, ...candidates.map(([, date]) => textWidth(text(date), size))) + 14;
  const apart = months ? each * 30 : each;
  const every = Math.max(1, Math.ceil(needed / apart));
  const labels = new Map<number, string>();
  for (let at = 0; at < candidates.length; at += every) {
    const [index, date] = candidates[at] as [number, string];
    const half = textWidth(text(date), size) / 2;
    const middle = (index + 0.5) * each;
    if (middle - half >= -40 && middle + half <= pixels + 16) labels.set(index, text(date));
  }
  return labels;
}
