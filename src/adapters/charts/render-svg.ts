import { BarChart, LineChart } from "echarts/charts";
import { GraphicComponent, GridComponent, MarkLineComponent } from "echarts/components";
import { init, setPlatformAPI, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { drawable, fitted, textWidth } from "./text-width.ts";
import { followingRules, PALETTES, withVariables, type Palette, type Theme } from "./theme.ts";

use([BarChart, LineChart, GridComponent, GraphicComponent, MarkLineComponent, SVGRenderer]);
// Without a canvas, widths come from the font itself.
setPlatformAPI({ measureText: (text, font = "12px") => ({ width: textWidth(text, Number(/([\d.]+)px/.exec(font)?.[1] ?? 12), /\b(?:600|bold)\b/.test(font)) }) });

export const FONT = "Inter, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";
export const PADDING = 24;
/** Where the plot may begin. */
export const HEAD_HEIGHT = 84;

export interface LegendItem {
  readonly text: string;
  readonly colour: string;
  readonly kind: "box" | "line" | "dashed";
}

export interface Drawing {
  readonly theme: Theme | "auto";
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** Parts, the first the one to keep longest; what does not fit beside the others is left out from the end. */
  readonly subtitle: readonly string[];
  readonly legend?: readonly LegendItem[] | undefined;
  /** What is drawn as numbers, exact, for programs; it stands in the file. */
  readonly data: unknown;
  /** For those who do not see it. */
  readonly description: string;
  /** The options of echarts; left out where there is nothing to draw. */
  readonly chart?: ((palette: Palette) => Record<string, unknown>) | undefined;
  readonly emptyText: string;
}

export function paletteOf(theme: Theme | "auto"): Palette {
  return PALETTES[theme === "auto" ? "light" : theme];
}

/** Draws: the same text for the same drawing, always. */
export function renderSvg(drawing: Drawing): string {
  const { width, height, theme } = drawing;
  const palette = paletteOf(theme);
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    const plot = drawing.chart?.(palette);
    const graphic = [...headOf(drawing, palette), ...(plot === undefined ? [emptyOf(drawing, palette)] : []), ...((plot?.["graphic"] as unknown[] | undefined) ?? [])];
    chart.setOption({ animation: false, backgroundColor: palette.background, textStyle: { fontFamily: FONT }, ...plot, graphic });
    return finished(chart.renderToSVGString(), drawing);
  } finally {
    chart.dispose();
  }
}

export function textAt(left: number, top: number, text: string, fill: string, style: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: "text", silent: true, x: left, y: top, style: { text, fill, fontFamily: FONT, fontSize: 13, ...style } };
}

function headOf({ title, subtitle, width, legend = [] }: Drawing, palette: Palette): unknown[] {
  const most = width - 2 * PADDING;
  const head: unknown[] = [textAt(PADDING, 20, fitted(title, 18, most, true), palette.ink, { fontSize: 18, fontWeight: 600 }), textAt(PADDING, 46, besides(subtitle, 13, most), palette.muted)];
  let left = PADDING;
  for (const { text, colour, kind } of legend) {
    // Half a word tells less than none.
    if (left + 22 + textWidth(text, 12) > width - PADDING / 2) break;
    const mark = kind === "box" ? { type: "rect", silent: true, x: left, y: 72, shape: { width: 12, height: 10 }, style: { fill: colour } }
      : { type: "line", silent: true, shape: { x1: left, y1: 77, x2: left + 16, y2: 77 }, style: { stroke: colour, lineWidth: 2, ...(kind === "dashed" ? { lineDash: [4, 3] } : {}) } };
    head.push(mark, textAt(left + 22, 70, text, palette.muted, { fontSize: 12 }));
    left += 22 + textWidth(text, 12) + 20;
  }
  return head;
}

/** So many parts as stand side by side; a single one is shortened. */
function besides(parts: readonly string[], size: number, most: number): string {
  const said = parts.filter((part) => part !== "");
  for (let kept = said.length; kept > 1; kept -= 1) {
    const text = said.slice(0, kept).join("  ·  ");
    if (textWidth(text, size) <= most) return text;
  }
  return fitted(said[0] ?? "", size, most);
}

function emptyOf({ emptyText, width, height }: Drawing, palette: Palette): unknown {
  return textAt(width / 2, (height + HEAD_HEIGHT) / 2, fitted(emptyText, 15, width - 2 * PADDING), palette.muted, { fontSize: 15, align: "center", verticalAlign: "middle" });
}

/** No traces of the drawer's own counters, and the texts that make it a document of its own. */
function finished(svg: string, { title, description, data, theme }: Drawing): string {
  const plain = svg.replaceAll(/<style\b[\s\S]*?<\/style>\s*/g, "").replaceAll(/ (?:class="zr[^"]*"|ecmeta_\w+="[^"]*"|pointer-events="[^"]*"|baseProfile="[^"]*"|xmlns:xlink="[^"]*")/g, "").replaceAll(/\bzr\d+-/g, "tg-");
  const head = `<title>${escapeXml(title)}</title><desc>${escapeXml(description)}</desc><metadata>${escapeXml(JSON.stringify(data))}</metadata>${theme === "auto" ? `<style>${followingRules("svg")}</style>` : ""}`;
  const whole = held(plain).replace(/^<svg ([^>]*)>/, (_, attributes: string) => `<svg role="img" ${attributes}>${head}`);
  return `${theme === "auto" ? withVariables(whole) : whole}\n`;
}

/** Where the reader lacks Inter, a wider font is drawn no wider than what was measured, so that nothing overlaps. */
function held(svg: string): string {
  return svg.replaceAll(/<text ([^>]*)>([^<]+)<\/text>/g, (_, attributes: string, escaped: string) => {
    const text = escaped.replaceAll(/&(?:lt|gt|quot|amp|#39);/g, (entity) => ({ "&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&", "&#39;": "'" })[entity] ?? entity);
    const width = textWidth(text, Number(/font-size:([\d.]+)px/.exec(attributes)?.[1] ?? 12), attributes.includes("font-weight:600"));
    return `<text textLength="${width.toFixed(1)}" lengthAdjust="spacingAndGlyphs" ${attributes}>${escaped}</text>`;
  });
}

export function escapeXml(text: string): string {
  return drawable(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
