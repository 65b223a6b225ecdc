import { costOfRow, exactText, inCurrency, nanoText, percentText } from "../../domain/analytics/amounts.ts";
import { largest } from "../../domain/analytics/largest.ts";
import type { Costs } from "../../domain/analytics/rows.ts";
import { canvasOf, invalid, type DrawingOptions } from "./chart-options.ts";
import { notesOf } from "./daily-costs.ts";
import { HEAD_HEIGHT, PADDING, renderSvg, textAt } from "./render-svg.ts";
import { fitted, textWidth } from "./text-width.ts";

/** A row of `costByModel`, `costByUser` and their like; of your own, a name and its dollars are enough. */
export type RankedRow = { readonly id?: string | null; readonly label?: string; readonly model?: string | null; readonly user?: string | null } & Partial<Pick<Costs, "cost" | "costExact" | "requests" | "totalTokens" | "estimatedEntries" | "unpricedEntries">>;

export interface RankedOptions extends DrawingOptions {
  /** How many rows are drawn; the tail is one of them, "other (n)". 12 if left out. */
  readonly rows?: number | undefined;
}

interface Bar {
  readonly name: string;
  readonly cost: bigint;
  readonly requests: number;
  readonly tokens: number;
  readonly others: number;
}

const ROW_HEIGHT = 30;
const SIZE = 13;
const GAP = 10;

/** A bar for each name, the dearest first, with its amount, share and what else is known of it. @throws TollgateError `invalid_request` */
export function rankedCostsSvg(rows: readonly RankedRow[], noun: "model" | "user", options: RankedOptions = {}): string {
  const canvas = canvasOf(options);
  const most = options.rows ?? 12;
  if (!Number.isInteger(most) || most < 1 || most > 100) throw invalid("rows", "must be a whole number from 1 to 100");
  const bars = barsOf(rows, most);
  const { width, currency } = canvas;
  const height = canvas.height ?? Math.max(220, HEAD_HEIGHT + bars.length * ROW_HEIGHT + PADDING);
  const total = bars.reduce((sum, bar) => sum + bar.cost, 0n);
  const amountOf = (cost: bigint): string => nanoText(inCurrency(cost, currency), currency);
  const plain = (cost: bigint): string => exactText(cost).replaceAll(/[$,]/g, "");
  return renderSvg({
    theme: canvas.theme, width, height, title: canvas.title ?? `Costs by ${noun}`, emptyText: "No spend in this period",
    subtitle: [`${rows.length} ${noun}${rows.length === 1 ? "" : "s"}`, `total ${amountOf(total)}`, ...notesOf(rows), canvas.timeZone ?? ""],
    description: bars.map((bar) => `${bar.name}: ${amountOf(bar.cost)}`).join("; "),
    data: { chart: noun === "model" ? "modelComparison" : "costByUser", currency: "USD", total: plain(total), rows: bars.map((bar) => ({ name: bar.name, cost: plain(bar.cost), ...(bar.others > 0 ? { others: bar.others } : {}) })) },
    chart: bars.every((bar) => bar.cost === 0n) ? undefined : (palette) => {
      const names = bars.map((bar) => fitted(bar.name, SIZE, width * 0.3));
      const amounts = bars.map((bar) => amountOf(bar.cost));
      const shares = bars.map((bar) => percentText(bar.cost, total) ?? "");
      const details = width < 640 ? bars.map(() => "") : bars.map((bar) => detailOf(bar, noun, amountOf));
      const widest = (texts: readonly string[], size = SIZE): number => Math.max(0, ...texts.map((text) => textWidth(text, size)));
      const columns = [widest(names), widest(amounts), widest(shares), widest(details, 12)] as const;
      const left = PADDING + columns[0] + GAP;
      const right = PADDING + columns[1] + columns[2] + columns[3] + (columns[3] > 0 ? 3 : 2) * GAP;
      const named = bars.some((bar) => bar.others === 0 && bar.cost > 0n) ? bars.filter((bar) => bar.others === 0) : bars;
      const [lowest, highest] = named.reduce(([low, high], bar) => [bar.cost < low ? bar.cost : low, bar.cost > high ? bar.cost : high], [0n, 0n]);
      // All the others together may be far more than the dearest: their bar is broken off, so that the rest can still be told apart.
      const drawn = (cost: bigint): number => Number(inCurrency(cost > highest ? highest : cost, currency)) / 1e9;
      const each = (height - HEAD_HEIGHT - PADDING) / bars.length;
      const size = Math.max(6, Math.min(SIZE, Math.floor(each) - 2));
      const cells = bars.flatMap((_, index) => {
        const y = HEAD_HEIGHT + (index + 0.5) * each;
        const cell = (x: number, text: string | undefined, fill: string, align: "left" | "right", fontSize = size): unknown => textAt(x, y, text ?? "", fill, { align, verticalAlign: "middle", fontSize });
        const amountRight = width - right + GAP + columns[1];
        return [
          cell(left - GAP, names[index], palette.ink, "right"), cell(amountRight, amounts[index], palette.ink, "right"), cell(amountRight + GAP + columns[2], shares[index], palette.muted, "right"),
          ...((bars[index]?.cost ?? 0n) > highest ? [breakMark(left + (width - left - right) * 0.9, y, Math.min(20, each * 0.65), palette.background)] : []),
          ...(details[index] === "" ? [] : [cell(width - PADDING, details[index], palette.muted, "right", Math.min(12, size))]),
        ];
      });
      return {
        grid: { left, right, top: HEAD_HEIGHT, bottom: PADDING, containLabel: false, outerBoundsMode: "none" },
        xAxis: { type: "value", min: Number(inCurrency(lowest, currency)) / 1e9, max: Number(inCurrency(highest, currency)) / 1e9 || 1e-9, show: false },
        yAxis: { type: "category", inverse: true, data: bars.map((_, index) => String(index)), axisLabel: { show: false }, axisTick: { show: false }, axisLine: { lineStyle: { color: palette.grid } } },
        series: [{ type: "bar", silent: true, barMaxWidth: 20, barMinHeight: 1, barCategoryGap: "35%", data: bars.map((bar) => ({ value: bar.cost === 0n ? "-" : drawn(bar.cost), itemStyle: { color: bar.others > 0 ? palette.rest : palette.bar, borderRadius: [0, 2, 2, 0] } })) }],
        graphic: cells,
      };
    },
  });
}

/** Two slanted cuts through a bar that is longer than it can be drawn. */
function breakMark(x: number, y: number, height: number, background: string): unknown {
  const cut = (at: number): unknown => ({ type: "polygon", silent: true, z: 10, shape: { points: [[at, y + height / 2 + 2], [at + 7, y - height / 2 - 2], [at + 11, y - height / 2 - 2], [at + 4, y + height / 2 + 2]] }, style: { fill: background } });
  return { type: "group", silent: true, z: 10, children: [cut(x), cut(x + 9)] };
}

function barsOf(rows: readonly RankedRow[], most: number): Bar[] {
  const bars = rows.map((row, index): Bar => {
    if (typeof row !== "object" || row === null) throw invalid(`rows[${index}]`, "must be a row such as { model, costExact }");
    const name = row.label ?? row.model ?? row.user ?? row.id ?? "(none)";
    if (typeof name !== "string") throw invalid(`rows[${index}]`, "must have a name as text");
    return { name, cost: costOfRow(row, `rows[${index}]`), requests: row.requests ?? 0, tokens: row.totalTokens ?? 0, others: 0 };
  });
  const { rows: kept, rest } = largest(bars, most, (bar) => bar.cost);
  if (rest.length === 0) return [...kept];
  return [...kept, rest.reduce((sum, bar) => ({ ...sum, cost: sum.cost + bar.cost, requests: sum.requests + bar.requests, tokens: sum.tokens + bar.tokens }), { name: `other (${rest.length})`, cost: 0n, requests: 0, tokens: 0, others: rest.length })];
}

function detailOf({ requests, tokens, cost }: Bar, noun: "model" | "user", amountOf: (cost: bigint) => string): string {
  if (requests === 0) return "";
  const count = `${requests.toLocaleString("en")} request${requests === 1 ? "" : "s"}`;
  return noun === "model" && tokens > 0 ? `${count} · ${amountOf((cost * 1_000_000n) / BigInt(tokens))} per 1M tokens` : count;
}
