import { TollgateError } from "../../base/errors.ts";
import { currencyOf, type Currency, type CurrencyOptions } from "../../domain/analytics/amounts.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import type { Theme } from "./theme.ts";

export interface DrawingOptions {
  /** `auto` follows the reader's own setting, in SVG only. `light` if left out. */
  readonly theme?: Theme | "auto" | undefined;
  /** Pixels, 320 to 4096. */
  readonly width?: number | undefined;
  /** Pixels, 160 to 4096; left out, as much as the rows need. */
  readonly height?: number | undefined;
  readonly title?: string | undefined;
  /** Whose calendar the dates are of, to be named on the chart. An analyzer says it by itself. */
  readonly timeZone?: string | undefined;
  readonly currency?: CurrencyOptions | undefined;
}

export interface ChartOptions extends DrawingOptions {
  /** Where the file goes; `.svg` or `.png` decides what it is. */
  readonly path: string;
  /** PNG: pixels of the file for one of the drawing; 2 for sharp displays. */
  readonly scale?: number | undefined;
  /** PNG: more fonts (TTF, OTF, WOFF2), for names in scripts other than Latin, Greek and Cyrillic. */
  readonly fontFiles?: readonly string[] | undefined;
}

export interface Canvas {
  readonly theme: Theme | "auto";
  readonly width: number;
  readonly height: number | undefined;
  readonly title: string | undefined;
  readonly timeZone: string | undefined;
  readonly currency: Currency;
}

/** @throws TollgateError `invalid_request`, `invalid_time_zone` */
export function canvasOf(options: DrawingOptions): Canvas {
  const { theme = "light", width = 960, height, title, timeZone, currency } = options;
  if (theme !== "light" && theme !== "dark" && theme !== "auto") throw invalid("theme", 'must be "light", "dark" or "auto"');
  if (title !== undefined && typeof title !== "string") throw invalid("title", "must be text");
  return {
    theme, title, currency: currencyOf(currency), width: pixels("width", width, 320), height: height === undefined ? undefined : pixels("height", height, 160),
    timeZone: timeZone === undefined ? undefined : checkZone(timeZone, { param: "timeZone" }),
  };
}

function pixels(param: string, value: unknown, least: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > 4_096) throw invalid(param, `must be a whole number of pixels from ${least} to 4096`);
  return value;
}

export function invalid(param: string, what: string): TollgateError {
  return new TollgateError("invalid_request", `${param} ${what}.`, { param });
}
