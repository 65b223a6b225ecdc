/** Colours of a chart. Told apart by people who see no red or green; text 4.5:1 and bars 3:1 on the background at least. */
export interface Palette {
  readonly background: string;
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly bar: string;
  readonly rest: string;
  readonly plan: string;
  readonly projected: string;
  readonly band: string;
}

export const PALETTES = {
  light: { background: "#ffffff", ink: "#1b1f24", muted: "#57606a", grid: "#e3e7eb", bar: "#0072b2", rest: "#87909a", plan: "#6a737d", projected: "#b84a00", band: "#f5dcc8" },
  dark: { background: "#14181d", ink: "#e6eaee", muted: "#9aa5b1", grid: "#2b323a", bar: "#56b4e9", rest: "#717c88", plan: "#8b96a2", projected: "#f0a04b", band: "#4a3620" },
} as const satisfies Record<string, Palette>;

export type Theme = keyof typeof PALETTES;

/** Style rules by which a drawing in the light palette follows the reader's own setting. */
export function followingRules(selector: string): string {
  const names = Object.keys(PALETTES.light) as (keyof Palette)[];
  const rule = (palette: Palette): string => `${selector}{${names.map((name) => `--tg-${name}:${palette[name]}`).join(";")}}`;
  return `${rule(PALETTES.light)}@media (prefers-color-scheme:dark){${rule(PALETTES.dark)}}@media print{${rule(PALETTES.light)}}`;
}

/** The drawing with its colours as variables. */
export function withVariables(svg: string): string {
  const names = new Map(Object.entries(PALETTES.light).map(([name, colour]) => [colour as string, name]));
  return svg.replaceAll(/(fill|stroke|stop-color)="(#[0-9a-f]{6})"/g, (whole, attribute: string, colour: string) => (names.has(colour) ? `${attribute}="var(--tg-${names.get(colour)},${colour})"` : whole));
}
