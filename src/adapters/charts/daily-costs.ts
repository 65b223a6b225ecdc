import { costOfRow, exactText, inCurrency, nanoText } from "../../domain/analytics/amounts.ts";
import type { Costs } from "../../domain/analytics/rows.ts";
import { canvasOf, invalid, type DrawingOptions } from "./chart-options.ts";
import { dateText, dayLabels, periodText } from "./dates.ts";
import { HEAD_HEIGHT, PADDING, renderSvg } from "./render-svg.ts";
import { amountScale } from "./scale.ts";
import { textWidth } from "./text-width.ts";

/** A row of `dailyCosts`; of your own, a date and its dollars are enough. */
export type DayRow = { readonly date: string } & Partial<Pick<Costs, "cost" | "costExact" | "estimatedEntries" | "unpricedEntries">>;

const SIZE = 12;
const DATE = /^\d{4}-\d\d-\d\d$/;

/** A bar for each day. @throws TollgateError `invalid_request` */
export function dailyCostsSvg(rows: readonly DayRow[], options: DrawingOptions = {}): string {
  const canvas = canvasOf(options);
  const { width, height = 420, currency } = canvas;
  const days = rows.map((row, index) => {
    if (typeof row?.date !== "string" || !DATE.test(row.date)) throw invalid(`rows[${index}].date`, "must be a date such as 2026-11-24");
    const cost = costOfRow(row, `rows[${index}]`);
    return { date: row.date, cost, nano: inCurrency(cost, currency) };
  });
  const total = days.reduce((sum, day) => sum + day.cost, 0n);
  const dates = days.map((day) => day.date);
  const period = dates.length === 0 ? "" : periodText(dates[0] as string, dates[dates.length - 1] as string);
  const peak = days.reduce((best, day, index) => (day.nano > (days[best]?.nano ?? 0n) ? index : best), 0);
  const description = days.length === 0 ? "No spend in this period." : `${period}: ${nanoText(inCurrency(total, currency), currency)} in total, most on ${dateText(dates[peak] as string)} with ${nanoText(days[peak]?.nano ?? 0n, currency)}.`;
  return renderSvg({
    theme: canvas.theme, width, height, title: canvas.title ?? "Daily costs", description, emptyText: "No spend in this period",
    subtitle: [period, `total ${nanoText(inCurrency(total, currency), currency)}`, ...notesOf(rows), canvas.timeZone ?? ""],
    data: { chart: "dailyCosts", currency: "USD", total: exactText(total).replaceAll(/[$,]/g, ""), rows: rows.map((row, index) => ({ date: row.date, cost: exactText(days[index]?.cost ?? 0n).replaceAll(/[$,]/g, "") })) },
    chart: days.every((day) => day.cost === 0n) ? undefined : (palette) => {
      const scale = amountScale(days.reduce((least, day) => (day.nano < least ? day.nano : least), 0n), days[peak]?.nano ?? 0n, currency);
      const marks = Array.from({ length: Math.round((scale.most - scale.least) / scale.step) + 1 }, (_, index) => scale.text(scale.least + index * scale.step));
      const left = PADDING + Math.max(...marks.map((mark) => textWidth(mark, SIZE))) + 10;
      const plot = width - left - PADDING;
      const labels = dayLabels(dates, plot, SIZE);
      const amounts = days.map((day) => nanoText(day.nano, currency));
      const all = Math.max(...amounts.map((amount) => textWidth(amount, SIZE))) + 8 <= plot / days.length;
      return {
        grid: { left, right: PADDING, top: HEAD_HEIGHT + 12, bottom: 44, containLabel: false, outerBoundsMode: "none" },
        xAxis: { type: "category", data: dates, axisLine: { lineStyle: { color: palette.muted } }, axisTick: { alignWithLabel: true, interval: (index: number) => labels.has(index), lineStyle: { color: palette.muted } }, axisLabel: { interval: (index: number) => labels.has(index), formatter: (_: string, index: number) => labels.get(index) ?? "", color: palette.muted, fontSize: SIZE, hideOverlap: false, showMinLabel: null, showMaxLabel: null } },
        yAxis: { type: "value", min: scale.least, max: scale.most, interval: scale.step, axisLabel: { formatter: (mark: number) => scale.text(mark), color: palette.muted, fontSize: SIZE }, splitLine: { lineStyle: { color: palette.grid } } },
        series: [{
          type: "bar", silent: true, barMaxWidth: 64, barCategoryGap: plot / days.length < 4 ? "0%" : days.length > 100 ? "10%" : "28%", itemStyle: { color: palette.bar, borderRadius: days.length > 100 ? 0 : [2, 2, 0, 0] },
          data: days.map((day, index) => ({ value: Number(day.nano) / 1e9, label: { show: day.cost !== 0n && (all || index === peak), position: day.cost < 0n ? "bottom" : "top", formatter: () => amounts[index] ?? "", color: palette.ink, fontSize: SIZE, textBorderWidth: 0, ...edge(index, plot / days.length, textWidth(amounts[index] ?? "", SIZE), days.length) } })),
        }],
      };
    },
  });
}

/** A label over a thin bar at the edge leans inwards. */
function edge(index: number, each: number, labelWidth: number, count: number): Record<string, unknown> {
  const middle = (index + 0.5) * each;
  const over = middle + labelWidth / 2 - each * count;
  return over > 0 ? { offset: [-over, 0] } : {};
}

/** What the amounts do not know. */
export function notesOf(rows: readonly Partial<Pick<Costs, "estimatedEntries" | "unpricedEntries">>[]): string[] {
  const sum = (name: "estimatedEntries" | "unpricedEntries"): number => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
  const [estimated, unpriced] = [sum("estimatedEntries"), sum("unpricedEntries")];
  const entries = (count: number): string => `${count.toLocaleString("en")} ${count === 1 ? "entry" : "entries"}`;
  return [...(estimated > 0 ? [`${entries(estimated)} estimated`] : []), ...(unpriced > 0 ? [`${entries(unpriced)} without a price`] : [])];
}
