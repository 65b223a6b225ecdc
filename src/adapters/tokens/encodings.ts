export type EncodingName = "o200k_base" | "cl100k_base";

type Count = (text: string, options: { readonly allowedSpecial: "all" | Set<string>; readonly disallowedSpecial: Set<string> }) => number;

const PIECE_LENGTH = 4_096;
const SPACE = 0x20;

const LOADED = new Map<EncodingName, Promise<{ readonly countTokens: Count }>>();
/** Texts are data: what looks like a special token in them is counted as plain text. */
const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() } as const;

/** The encoding of a model of OpenAI. @example encodingOf("gpt-4-turbo") // "cl100k_base" */
export function encodingOf(model: string): EncodingName {
  return /^(ft:)?(gpt-3\.5|gpt-35|gpt-4(-|$)|text-embedding-|babbage-002|davinci-002)/.test(model) ? "cl100k_base" : "o200k_base";
}

/**
 * Tokens of a text; the encoding is loaded by the first call. The time of a tokenizer grows with the square of a word: a text is counted in
 * pieces that end where a word does. Only a "word" longer than a piece is cut, which may count a token more for each cut.
 */
export async function countTokens(encoding: EncodingName, text: string): Promise<number> {
  let loaded = LOADED.get(encoding);
  if (loaded === undefined) {
    loaded = (encoding === "o200k_base" ? import("gpt-tokenizer/encoding/o200k_base") : import("gpt-tokenizer/encoding/cl100k_base")) as Promise<{ readonly countTokens: Count }>;
    LOADED.set(encoding, loaded);
  }
  const { countTokens: count } = await loaded;
  if (text.length <= PIECE_LENGTH) return count(text, PLAIN);
  let tokens = 0;
  for (let at = 0; at < text.length; ) {
    const end = pieceEnd(text, at);
    tokens += count(text.slice(at, end), PLAIN);
    at = end;
  }
  return tokens;
}

/** Before a single space between two words, in the later half of a piece; else wherever the piece ends, never within a character. */
function pieceEnd(text: string, at: number): number {
  const most = at + PIECE_LENGTH;
  if (most >= text.length) return text.length;
  for (let end = most; end > most - PIECE_LENGTH / 2; end -= 1) {
    if (text.charCodeAt(end) === SPACE && text.charCodeAt(end - 1) > SPACE && text.charCodeAt(end + 1) > SPACE) return end;
  }
  const code = text.charCodeAt(most);
  return code >= 0xdc00 && code <= 0xdfff ? most - 1 : most;
}
