import { parseNanoUsd } from "../../base/money.ts";
import { inCurrency, nanoText } from "../../domain/analytics/amounts.ts";
import type { BurnDown } from "../../domain/analytics/burn-down.ts";
import { canvasOf, invalid, type DrawingOptions } from "./chart-options.ts";
import { dateText, dayLabels, periodText } from "./dates.ts";
import { HEAD_HEIGHT, PADDING, renderSvg, type LegendItem } from "./render-svg.ts";
import { amountScale } from "./scale.ts";
import { textWidth } from "./text-width.ts";
import { PALETTES, type Theme } from "./theme.ts";

const SIZE = 12;

/** What a budget still has: what was left so far, an even pace, what is to be expected, and when it is spent. @throws TollgateError `invalid_request` */
export function burnDownSvg(burn: BurnDown, options: DrawingOptions = {}): string {
  const canvas = canvasOf(options);
  const { width, height = 420, currency } = canvas;
  const nanoOf = (text: string): bigint => {
    const nano = parseNanoUsd(text);
    if (nano === undefined) throw invalid("burnDown", `holds ${JSON.stringify(text)}, which is no decimal amount`);
    return inCurrency(nano, currency);
  };
  const budget = nanoOf(burn.budget);
  const actual = burn.actual.map((day) => nanoOf(day.remaining));
  const [low, likely, high] = (["low", "likely", "high"] as const).map((name) => burn.projection.map((day) => nanoOf(day[name]))) as [bigint[], bigint[], bigint[]];
  const left = actual[actual.length - 1] ?? budget;
  const { date, earliest, latest } = burn.exhaustion;
  const says = date === null ? (burn.withoutProjection === "too_little_history" ? "too little history to project" : burn.projection.length === 0 ? "" : earliest === null ? "lasts to the end" : `likely lasts to the end, at worst to ${dateText(earliest)}`)
    : left <= 0n ? `spent on ${dateText(date)}` : `likely spent on ${dateText(date)}${earliest === latest ? "" : ` (${earliest === null ? "" : dateText(earliest, false)} – ${latest === null ? "not in this period" : dateText(latest, false)})`}`;
  const standing = left < 0n ? `${nanoText(-left, currency)} over ${nanoText(budget, currency)}` : `${nanoText(left, currency)} of ${nanoText(budget, currency)} left`;
  const subtitle = [standing, says, periodText(burn.from, burn.to), canvas.timeZone ?? ""];
  return renderSvg({
    theme: canvas.theme, width, height, title: canvas.title ?? "Budget burn-down", subtitle, description: subtitle.filter((part) => part !== "").join("; "), emptyText: "No days in this period",
    data: { chart: "budgetBurnDown", currency: "USD", ...burn },
    legend: burn.actual.length === 0 ? [] : legendOf(canvas.theme === "dark" ? "dark" : "light", burn.projection.length > 0),
    chart: actual.length === 0 ? undefined : (palette) => {
      const dates = daysOf(burn);
      // What is projected ends where nothing is left; a budget that is passed already shows how far it may go.
      const all = left > 0n ? actual : [...actual, ...low, ...high];
      const scale = amountScale(all.reduce((least, one) => (one < least ? one : least), 0n), budget, currency);
      const marks = Array.from({ length: Math.round((scale.most - scale.least) / scale.step) + 1 }, (_, index) => scale.text(scale.least + index * scale.step));
      const margin = PADDING + Math.max(...marks.map((mark) => textWidth(mark, SIZE))) + 10;
      const labels = dayLabels(dates, width - margin - PADDING, SIZE);
      const usd = (nano: bigint): number => Number(left > 0n && nano < 0n ? 0n : nano) / 1e9;
      const gaps = Array.from({ length: Math.max(0, actual.length - 1) }, () => null);
      const from = usd(left);
      const series = (values: readonly (number | null)[], more: Record<string, unknown>): Record<string, unknown> => ({ type: "line", silent: true, showSymbol: false, data: values, ...more });
      const projected = (values: readonly bigint[]): (number | null)[] => [...gaps, from, ...values.map(usd)];
      const band = (values: readonly bigint[], under: readonly bigint[]): (number | null)[] => [...gaps, 0, ...values.map((value, index) => usd(value) - usd(under[index] as bigint))];
      const invisible = { lineStyle: { opacity: 0 }, stack: "band", stackStrategy: "all" };
      return {
        grid: { left: margin, right: PADDING, top: HEAD_HEIGHT + 30, bottom: 44, containLabel: false, outerBoundsMode: "none" },
        xAxis: { type: "category", data: dates, axisLine: { onZero: false, lineStyle: { color: palette.muted } }, axisTick: { alignWithLabel: true, interval: (index: number) => labels.has(index), lineStyle: { color: palette.muted } }, axisLabel: { interval: (index: number) => labels.has(index), formatter: (_: string, index: number) => labels.get(index) ?? "", color: palette.muted, fontSize: SIZE, showMinLabel: null, showMaxLabel: null } },
        yAxis: { type: "value", min: scale.least, max: scale.most, interval: scale.step, axisLabel: { formatter: (mark: number) => scale.text(mark), color: palette.muted, fontSize: SIZE }, splitLine: { lineStyle: { color: palette.grid } } },
        series: [
          ...(low.length === 0 ? [] : [series(projected(low), { ...invisible }), series(band(high, low), { ...invisible, areaStyle: { color: palette.band, opacity: 1 } })]),
          series(dates.map((_, index) => (Number(budget) / 1e9) * (1 - (index + 1) / dates.length)), { lineStyle: { color: palette.plan, width: 1.5, type: [2, 4] } }),
          ...(likely.length === 0 ? [] : [series(projected(untilSpent(likely)), { lineStyle: { color: palette.projected, width: 2, type: [5, 4] } })]),
          series(actual.map(usd), { showSymbol: actual.length < 3, symbol: "circle", symbolSize: 6, itemStyle: { color: palette.bar }, lineStyle: { color: palette.bar, width: 2.5 }, ...(date === null ? {} : { markLine: exhaustionLine(date, dates, margin, width, palette) }) }),
        ],
      };
    },
  });
}

/** Up to the first day after which nothing is left. */
function untilSpent(values: readonly bigint[]): readonly bigint[] {
  const end = values.findIndex((value) => value <= 0n);
  return end <= 0 ? values : values.slice(0, end + 1);
}

function exhaustionLine(date: string, dates: readonly string[], margin: number, width: number, palette: { readonly projected: string; readonly ink: string }): Record<string, unknown> {
  const text = `Spent ${dateText(date, false)}`;
  const half = textWidth(text, SIZE, true) / 2;
  const at = ((dates.indexOf(date) + 0.5) / dates.length) * (width - margin - PADDING);
  // The label stays inside the picture.
  const lean = Math.max(0, half - at - margin + 4) - Math.max(0, at + half - (width - margin - 4));
  return { silent: true, symbol: "none", animation: false, data: [{ xAxis: date }], lineStyle: { color: palette.projected, type: "solid", width: 1.5 }, label: { formatter: text, position: "end", offset: [lean, 0], color: palette.ink, fontSize: SIZE, fontWeight: 600, textBorderWidth: 0 } };
}

function legendOf(theme: Theme, projected: boolean): LegendItem[] {
  const palette = PALETTES[theme];
  return [
    { text: "left at the end of the day", colour: palette.bar, kind: "line" }, { text: "even pace", colour: palette.plan, kind: "dashed" },
    ...(projected ? [{ text: "projected", colour: palette.projected, kind: "dashed" } as const, { text: "cheap to dear days", colour: palette.band, kind: "box" } as const] : []),
  ];
}

function daysOf(burn: BurnDown): string[] {
  const known = [...burn.actual.map((day) => day.date), ...burn.projection.map((day) => day.date)];
  const dates = [...known];
  const last = known[known.length - 1] ?? burn.from;
  for (let at = Date.parse(`${last}T00:00:00Z`) + 86_400_000; at <= Date.parse(`${burn.to}T00:00:00Z`); at += 86_400_000) dates.push(new Date(at).toISOString().slice(0, 10));
  return dates;
}
