import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";

/**
 * Makes `src/adapters/charts/inter-font.ts`: the faces of Inter that PNG files are drawn with, and how wide each character is,
 * so that labels are measured and never vanish, on whatever machine. Run `node scripts/embed-font.ts` after an update of `@fontsource/inter`.
 */
const FACES = ["latin-400", "latin-600", "latin-ext-400", "cyrillic-400", "greek-400"] as const;
const OUTPUT = fileURLToPath(new URL("../src/adapters/charts/inter-font.ts", import.meta.url));
const require = createRequire(import.meta.url);
const fileOf = (face: string, type: "woff" | "woff2"): Buffer => readFileSync(require.resolve(`@fontsource/inter/files/inter-${face}-normal.${type}`));

/** The tables of a WOFF 1.0 file. */
function tablesOf(woff: Buffer): Map<string, Buffer> {
  const tables = new Map<string, Buffer>();
  for (let index = 0; index < woff.readUInt16BE(12); index += 1) {
    const at = 44 + index * 20;
    const [offset, packed, length] = [woff.readUInt32BE(at + 4), woff.readUInt32BE(at + 8), woff.readUInt32BE(at + 12)];
    const bytes = woff.subarray(offset, offset + packed);
    tables.set(woff.toString("latin1", at, at + 4), packed < length ? inflateSync(bytes) : bytes);
  }
  return tables;
}

/** Glyph numbers by code point, from the format 4 subtable. */
function glyphsOf(cmap: Buffer): Map<number, number> {
  const glyphs = new Map<number, number>();
  for (let table = 0; table < cmap.readUInt16BE(2); table += 1) {
    const at = cmap.readUInt32BE(4 + table * 8 + 4);
    if (cmap.readUInt16BE(at) !== 4) continue;
    const size = cmap.readUInt16BE(at + 6);
    for (let segment = 0; segment < size; segment += 2) {
      const end = cmap.readUInt16BE(at + 14 + segment);
      const start = cmap.readUInt16BE(at + 16 + size + segment);
      const delta = cmap.readUInt16BE(at + 16 + 2 * size + segment);
      const rangeAt = at + 16 + 3 * size + segment;
      const range = cmap.readUInt16BE(rangeAt);
      for (let code = start; code <= end && code < 0xffff; code += 1) {
        const raw = range === 0 ? code : cmap.readUInt16BE(rangeAt + range + 2 * (code - start));
        const glyph = range !== 0 && raw === 0 ? 0 : (raw + delta) & 0xffff;
        if (glyph !== 0) glyphs.set(code, glyph);
      }
    }
  }
  return glyphs;
}

/** Thousandths of an em by code point. */
function advancesOf(face: string): Map<number, number> {
  const tables = tablesOf(fileOf(face, "woff"));
  const table = (name: string): Buffer => tables.get(name) ?? Buffer.alloc(0);
  const unitsPerEm = table("head").readUInt16BE(18);
  const metrics = table("hhea").readUInt16BE(34);
  return new Map([...glyphsOf(table("cmap"))].map(([code, glyph]) => [code, Math.round((table("hmtx").readUInt16BE(Math.min(glyph, metrics - 1) * 4) * 1000) / unitsPerEm)]));
}

/** Runs of consecutive characters: `start:advance,advance;start:…`, in base 36. */
function runsOf(advances: ReadonlyMap<number, number>): string {
  let text = "";
  let next = -1;
  for (const [code, advance] of [...advances].sort(([a], [b]) => a - b)) {
    text += code === next ? `,${advance.toString(36)}` : `${text === "" ? "" : ";"}${code.toString(36)}:${advance.toString(36)}`;
    next = code + 1;
  }
  return text;
}

export function fontModule(): string {
  const regular = new Map([...FACES].reverse().filter((face) => face.endsWith("400")).flatMap((face) => [...advancesOf(face)]));
  const lines = FACES.map((face) => `  /* ${face} */ "${fileOf(face, "woff2").toString("base64")}",`);
  return `/**
 * Inter, (c) The Inter Project Authors (https://github.com/rsms/inter), under the SIL Open Font License 1.1.
 * Made by \`scripts/embed-font.ts\`; never edited by hand.
 */
export const INTER_WOFF2: readonly string[] = [\n${lines.join("\n")}\n];

/** Widths of characters in thousandths of an em, regular and semibold: runs of \`start:width,width\` in base 36. */
export const REGULAR_WIDTHS = "${runsOf(regular)}";
export const SEMIBOLD_WIDTHS = "${runsOf(advancesOf("latin-600"))}";
`;
}

if (import.meta.main) {
  const text = fontModule();
  writeFileSync(OUTPUT, text);
  process.stdout.write(`Wrote ${OUTPUT}: ${text.length} bytes.\n`);
}
