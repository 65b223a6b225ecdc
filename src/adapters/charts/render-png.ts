import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { TollgateError } from "../../base/errors.ts";
import { INTER_WOFF2 } from "./inter-font.ts";
import { isCovered } from "./text-width.ts";

let fonts: readonly Uint8Array[] | undefined;
let loading: Promise<typeof import("@resvg/resvg-wasm")> | undefined;

/** Loaded with the first PNG: 2 MB that nothing else needs. */
function resvg(): Promise<typeof import("@resvg/resvg-wasm")> {
  loading ??= (async () => {
    const library = await import("@resvg/resvg-wasm");
    await library.initWasm(await readFile(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm")));
    return library;
  })().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Pixels of a drawing. @throws TollgateError `not_found` for a font file that is not there */
export async function renderPng(svg: string, { scale = 1, fontFiles = [] }: { readonly scale?: number | undefined; readonly fontFiles?: readonly string[] | undefined }): Promise<Uint8Array> {
  const { Resvg } = await resvg();
  fonts ??= INTER_WOFF2.map((face) => new Uint8Array(Buffer.from(face, "base64")));
  const more = await Promise.all(fontFiles.map((path) => readFile(path).catch((error: unknown) => {
    throw new TollgateError("not_found", `The font ${path} cannot be read.`, { param: "fontFiles", cause: error });
  })));
  // Without a font that has them, characters would vanish, and with them all that stand behind.
  const free = svg.replaceAll(/ textLength="[^"]*" lengthAdjust="[^"]*"/g, "");
  const text = more.length > 0 ? free : [...free].map((character) => (character < "\u007F" || isCovered(character) ? character : "\uFFFD")).join("");
  const drawing = new Resvg(text, { fitTo: { mode: "zoom", value: scale }, font: { fontBuffers: [...fonts, ...more.map((bytes) => new Uint8Array(bytes))], defaultFontFamily: "Inter", sansSerifFamily: "Inter" } });
  try {
    const image = drawing.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    drawing.free();
  }
}
