import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Resvg } from "@resvg/resvg-wasm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fontModule } from "../../scripts/embed-font.ts";
import { amountScale } from "../../src/adapters/charts/scale.ts";
import { fitted, textWidth } from "../../src/adapters/charts/text-width.ts";
import { PALETTES } from "../../src/adapters/charts/theme.ts";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { formatNanoUsd, parseNanoUsd } from "../../src/base/money.ts";
import { amountText, currencyOf, USD } from "../../src/domain/analytics/amounts.ts";
import { burnDownOf, plotBudgetBurnDown, plotCostByUser, plotDailyCosts, plotModelComparison, type PlottedChart } from "../../src/charts.ts";
import { NOW, writeLedger } from "./ledger.ts";

let folder: string;
const file = (name: string): string => join(folder, name);
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-charts-")); });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const day = (index: number): string => new Date(Date.UTC(2025, 9, 1) + index * 86_400_000).toISOString().slice(0, 10);
const days = (count: number): { date: string; costExact: string }[] => Array.from({ length: count }, (_, index) => ({ date: day(index), costExact: formatNanoUsd(BigInt(((index * 7919) % 997) + 1) * 10_000_019n) }));
const models = (count: number): { label: string; costExact: string }[] => Array.from({ length: count }, (_, index) => ({ label: `provider/model-${index}-${"long-".repeat(index % 15)}`, costExact: formatNanoUsd(BigInt(count - index) * 1_000_000_007n) }));
const sum = (rows: readonly { cost: string }[]): bigint => rows.reduce((total, row) => total + (parseNanoUsd(row.cost, "exact") as bigint), 0n);

function unescaped(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
function dataOf({ svg }: PlottedChart): { total: string; rows: { cost: string; name?: string; others?: number }[] } {
  return JSON.parse(unescaped(/<metadata>(.*?)<\/metadata>/s.exec(svg)?.[1] ?? "")) as never;
}

interface Label { readonly text: string; readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }
/** Where each text of a drawing stands, by the font's own widths. */
function labelsOf(svg: string): Label[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, attributes = "", escaped = ""]) => {
    const number = (pattern: RegExp): number => Number(pattern.exec(attributes)?.[1] ?? 0);
    const size = number(/font-size:([\d.]+)px/);
    const [, x = "0", y = "0"] = /translate\(([-\d.]+) ([-\d.]+)\)/.exec(attributes) ?? [];
    const wide = textWidth(unescaped(escaped), size, attributes.includes("font-weight:600"));
    const anchor = /text-anchor="(\w+)"/.exec(attributes)?.[1] ?? "start";
    const left = Number(x) + number(/ x="([-\d.]+)"/) - (anchor === "middle" ? wide / 2 : anchor === "end" ? wide : 0);
    const middle = Number(y) + number(/ y="([-\d.]+)"/);
    return { text: unescaped(escaped), left, right: left + wide, top: middle - size * 0.36, bottom: middle + size * 0.36 };
  });
}
function collisions(svg: string, width: number): string[] {
  const labels = labelsOf(svg);
  const outside = labels.filter((label) => label.left < -0.5 || label.right > width + 0.5).map((label) => `${label.text} leaves the picture`);
  return [...outside, ...labels.flatMap((a, index) => labels.slice(index + 1).filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom).map((b) => `${a.text} / ${b.text}`))];
}

test.each([[1, 960], [2, 320], [30, 960], [30, 400], [92, 640], [400, 960], [400, 320], [1500, 960]])("%i days at %i pixels: exact sums in the file, labels that neither overlap nor leave it", async (count, width) => {
  const chart = await plotDailyCosts(days(count), { path: file("daily.svg"), width });
  const data = dataOf(chart);
  expect(data.rows).toHaveLength(count);
  expect(sum(data.rows)).toBe(parseNanoUsd(data.total));
  expect(sum(data.rows)).toBe(sum(days(count).map((row) => ({ cost: row.costExact }))));
  expect(collisions(chart.svg, width)).toEqual([]);
  expect(labelsOf(chart.svg).filter(({ text }) => /^(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d+/.test(text) || /^[A-Z][a-z]{2}$/.test(text)).length).toBeGreaterThan(0);
  expect(readFileSync(chart.path, "utf8")).toBe(chart.svg);
});

test.each([320, 640, 960])("60 models at %i pixels: the tail is one row, sums are exact, long names keep both ends and overlap nothing", async (width) => {
  const chart = await plotModelComparison(models(60), { path: file("models.svg"), width });
  const { rows, total } = dataOf(chart);
  expect(rows).toHaveLength(12);
  expect(rows.at(-1)).toMatchObject({ name: "other (49)", others: 49 });
  expect(sum(rows)).toBe(parseNanoUsd(total));
  expect(total).toBe(formatNanoUsd(1_000_000_007n * 1830n));
  expect(chart.svg).toContain(">other (49)<");
  expect(collisions(chart.svg, width)).toEqual([]);
});

test("charts over an analyzer hold its totals to the nano-dollar, in a zone with changing clocks", async () => {
  const ledger = writeLedger(folder);
  const analyzer = new CostAnalyzer(ledger, { timeZone: "America/New_York", now: () => NOW });
  const { costExact } = await analyzer.total({ days: 5 });
  for (const chart of [await plotDailyCosts(analyzer, { days: 5, path: file("a.svg") }), await plotModelComparison(analyzer, { days: 5, path: file("b.svg") }), await plotCostByUser(analyzer, { days: 5, path: file("c.svg") })]) {
    expect(dataOf(chart).total).toBe(costExact);
    expect(chart.svg).toContain("America/New_York");
  }
  const burn = await plotBudgetBurnDown(analyzer, { months: 1, budget: "10", path: file("d.svg") });
  const drawn = dataOf(burn) as unknown as { to: string; actual: { date: string }[] };
  expect([drawn.to, drawn.actual.map((day) => day.date)]).toEqual(["2026-11-30", ["2026-11-01", "2026-11-02"]]);
  await analyzer.close();
});

test("a burn-down tells actual, plan and projection apart, and when the budget is spent; little history projects nothing", async () => {
  const even = Array.from({ length: 10 }, (_, index) => ({ date: `2026-11-${String(index + 1).padStart(2, "0")}`, costExact: index === 9 ? "0" : "10" }));
  const burn = burnDownOf(even, { budget: 150, to: "2026-11-30" });
  expect(burn.exhaustion).toEqual({ date: "2026-11-16", earliest: "2026-11-16", latest: "2026-11-16" });
  expect(burn.actual.at(-1)).toEqual({ date: "2026-11-10", remaining: "60" });
  const { svg } = await plotBudgetBurnDown(burn, { path: file("burn.svg") });
  for (const text of ["even pace", "projected", "cheap to dear days", "Spent Nov 16", "$60.00 of $150.00 left"]) expect(svg).toContain(text);
  expect(collisions(svg, 960)).toEqual([]);
  const early = burnDownOf(even.slice(0, 3), { budget: "150", to: "2026-11-30" });
  expect(early).toMatchObject({ projection: [], withoutProjection: "too_little_history" });
  expect((await plotBudgetBurnDown(early, { path: file("early.svg") })).svg).toContain("too little history to project");
  expect(() => burnDownOf(even, { budget: "-1", to: "2026-11-30" })).toThrow(expect.objectContaining({ code: "invalid_amount" }));
});

test.each(["light", "dark"] as const)("PNG, %s: the size asked for, and ink where each label stands", async (theme) => {
  const chart = await plotDailyCosts(days(30), { path: file(`${theme}.png`), theme, width: 800, height: 300, scale: 2 });
  const bytes = readFileSync(chart.path);
  expect([bytes.toString("latin1", 1, 4), bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual(["PNG", 1600, 600]);
  // The file is read back by drawing it: what is in its pixels, not in the drawing that it was made from.
  const picture = new Resvg(`<svg xmlns="http://www.w3.org/2000/svg" width="1600" height="600"><image width="1600" height="600" href="data:image/png;base64,${bytes.toString("base64")}"/></svg>`).render();
  const { pixels } = picture;
  const paper = PALETTES[theme].background;
  const channels = [1, 3, 5].map((at) => Number.parseInt(paper.slice(at, at + 2), 16));
  for (const { text, left, right, top, bottom } of labelsOf(chart.svg)) {
    let inked = 0;
    for (let y = Math.round(top * 2); y < bottom * 2; y += 1) for (let x = Math.round(left * 2); x < right * 2; x += 1) if (channels.some((channel, index) => Math.abs((pixels[(y * 1600 + x) * 4 + index] ?? 0) - channel) > 60)) inked += 1;
    expect.soft(inked, text).toBeGreaterThan(text.length * 6);
  }
});

test("the same rows give the same bytes, whatever was drawn before", async () => {
  const first = await plotModelComparison(models(5), { path: file("one.png") });
  await plotDailyCosts(days(9), { path: file("between.svg") });
  const second = await plotModelComparison(models(5), { path: file("two.png") });
  expect(second.svg).toBe(first.svg);
  expect(readFileSync(second.path).equals(readFileSync(first.path))).toBe(true);
});

test.each([320, 480, 960])("a burn-down at %i pixels: nothing leaves the picture, what a budget is passed by is said as such", async (width) => {
  for (const budget of ["40", "100000000"]) {
    const burn = burnDownOf(Array.from({ length: 14 }, (_, index) => ({ date: `2026-11-${String(index + 1).padStart(2, "0")}`, costExact: "5.25" })), { budget, to: "2026-11-30" });
    const { svg } = await plotBudgetBurnDown(burn, { path: file("narrow.svg"), width, timeZone: "America/Argentina/ComodRivadavia" });
    expect(collisions(svg, width)).toEqual([]);
    if (budget === "40") expect(svg).toContain("$33.50 over $40.00");
  }
});

test("the others together are broken off where they are more than the dearest; what is not nothing has a bar and a share", async () => {
  const rows = [{ label: "a", costExact: "1" }, { label: "tiny", costExact: "0.000000001" }, { label: "none", costExact: "0" }, ...Array.from({ length: 40 }, (_, index) => ({ label: `x${index}`, costExact: "0.9" }))];
  const { svg } = await plotModelComparison(rows, { path: file("broken.svg"), rows: 5 });
  expect(svg.match(/<polygon [^>]*fill="#ffffff"/g)?.length).toBe(2);
  const few = await plotModelComparison(rows.slice(0, 3), { path: file("few.svg") });
  expect(few.svg).toContain("&lt; 0.1 %");
  expect(few.svg.match(new RegExp(`fill="${PALETTES.light.bar}"`, "g"))?.length).toBe(2);
});

test("every text of every chart is set in the same face, also where the drawing stands alone", async () => {
  const burn = burnDownOf(days(10), { budget: "9000", to: "2025-10-31" });
  for (const { svg } of [await plotDailyCosts(days(30), { path: file("face.svg") }), await plotModelComparison(models(5), { path: file("face.svg") }), await plotBudgetBurnDown(burn, { path: file("face.svg") })]) {
    const faces = [...svg.matchAll(/<text ([^>]*)>/g)].map(([, attributes = ""]) => /font-family:([^;"]+)/.exec(attributes)?.[1] ?? "none");
    expect(new Set(faces).size, [...new Set(faces)].join(" / ")).toBe(1);
    expect(faces[0]).toMatch(/^Inter,/);
  }
});

test("no spend is drawn as such", async () => {
  for (const chart of [await plotDailyCosts([], { path: file("e.svg") }), await plotDailyCosts([{ date: "2026-11-24", cost: 0 }], { path: file("e.svg") }), await plotCostByUser([], { path: file("e.png") })]) expect(chart.svg).toContain(">No spend in this period<");
});

test("names from outside are text: markup, control characters, half characters and braces change nothing of the drawing", async () => {
  const hostile = ["<script>alert(1)</script>", "]]><!--", "a\u0000b\u001B[2J", "\uD800", "{b|bold}", "\u202Egnp.exe", "中文 \u{1F600}"];
  const { svg, path } = await plotCostByUser(hostile.map((label, index) => ({ label, cost: index + 1 })), { path: file("hostile.png"), title: "<b>&\"" });
  expect(svg).not.toMatch(/<script|<!--|<b>|[\u0000-\u0008\u001B\u202E]/);
  for (const text of ["&lt;script&gt;", "{b|bold}"]) expect(svg).toContain(text);
  expect(readFileSync(path).length).toBeGreaterThan(1_000);
});

test("amounts read exactly: cents from one dollar on, three digits below, never nothing for something", () => {
  const cases = [[0n, "$0.00"], [1n, "$0.000000001"], [157_500n, "$0.000158"], [999_900_000n, "$1.00"], [300_000_000n, "$0.30"], [1_234_565_000_000n, "$1,234.56"], [-5_000_000n, "-$0.005"], [9_007_199_254_740_993_000_000_000n, "$9,007,199,254,740,993.00"]] as const;
  for (const [nano, text] of cases) expect(amountText(nano)).toBe(text);
  expect(amountText(1_000_000_000_000n, currencyOf({ code: "EUR", perUsd: "0.92" }))).toBe("€920.00");
  const scale = amountScale(0n, 300_000_000n, USD);
  expect([0, 1, 2, 3].map((index) => scale.text(index * scale.step))).toEqual(["$0.00", "$0.10", "$0.20", "$0.30"]);
  expect(fitted("openai/gpt-4o-mini-2024-07-18", 13, 120)).toMatch(/^openai\/.*….*18$/);
});

test("nonsense is refused by name, an unwritable path leaves nothing and harms nothing", async () => {
  const rows = days(3);
  const code = (expected: string, param: string) => expect.objectContaining({ code: expected, param });
  for (const [options, param] of [[{ path: file("x.jpg") }, "path"], [{ path: file("x.svg"), width: 1 }, "width"], [{ path: file("x.svg"), theme: "pink" }, "theme"], [{ path: file("x.svg"), timeZone: "Mars/Base" }, "timeZone"], [{ path: file("x.svg"), currency: { code: "EUR", perUsd: "-1" } }, "currency.perUsd"], [{ path: file("x.png"), theme: "auto" }, "theme"]] as const)
    await expect(plotDailyCosts(rows, options as never)).rejects.toEqual(expect.objectContaining({ param }));
  await expect(plotDailyCosts([{ date: "yesterday", cost: 1 }], { path: file("x.svg") })).rejects.toEqual(code("invalid_request", "rows[0].date"));
  await expect(plotDailyCosts([{ date: "2026-11-24", cost: Number.NaN }], { path: file("x.svg") })).rejects.toEqual(code("invalid_request", "rows[0]"));
  await expect(plotDailyCosts(rows, { path: join(folder, "missing", "x.svg") })).rejects.toEqual(code("file_unwritable", "path"));
  writeFileSync(file("plain"), "");
  await expect(plotDailyCosts(rows, { path: join(folder, "plain", "x.svg") })).rejects.toEqual(code("file_unwritable", "path"));
  expect(readdirSync(folder).filter((name) => name.startsWith("x.") || name.endsWith(".tmp"))).toEqual([]);
});

test("the font in the repository is what the script makes of the installed one", async () => {
  expect(readFileSync("src/adapters/charts/inter-font.ts", "utf8")).toBe(fontModule());
});
