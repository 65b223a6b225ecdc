import { createHash } from "node:crypto";
import type { ChatRequest } from "./read-chat.ts";
import { SENTENCES } from "./sentences.ts";

/** What the simulated model says to one request, and how long it takes. */
export interface Answer {
  readonly id: string;
  readonly choices: readonly { readonly words: readonly string[]; readonly finishReason: "stop" | "length" }[];
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** One for each word, all choices together. */
  readonly completionTokens: number;
  /** Until the first piece of a stream, between two pieces, and for a whole answer, in milliseconds. */
  readonly firstMs: number;
  readonly betweenMs: number;
  readonly wholeMs: number;
}

/** Prompts from this size on are cached by their beginning of the same size, as providers do. */
const CACHED_FROM_TOKENS = 1_024;
const BEGINNINGS_MAX = 1_000;
const SENTENCES_MAX = 10;

/** The same seed and body give the same answer, in whatever order requests arrive (but for the cache). */
export function compose(chat: ChatRequest, body: string, seed: number, beginnings: Set<string>): Answer {
  const digest = createHash("sha256").update(`${seed}\n${body}`).digest();
  let used = 0;
  const random = (): number => {
    const value = digest.readUInt16BE((used * 2) % 32);
    used += 1;
    return ((value + used * 9_973) % 65_536) / 65_536;
  };
  const firstMs = 20 + random() * 40;
  const betweenMs = 2 + random() * 4;
  const choices = Array.from({ length: chat.choices }, () => choiceOf(chat.cap, random));
  const completionTokens = choices.reduce((sum, choice) => sum + choice.words.length, 0);
  const promptTokens = Math.max(1, Math.floor(Buffer.byteLength(chat.prompt) / 4));
  const longest = Math.max(...choices.map((choice) => choice.words.length));
  return {
    id: `chatcmpl-simulated-${digest.toString("hex", 0, 12)}`,
    choices,
    promptTokens,
    cachedTokens: promptTokens >= CACHED_FROM_TOKENS ? cachedTokensOf(chat, beginnings) : 0,
    completionTokens,
    firstMs,
    betweenMs,
    wholeMs: firstMs + Math.min(500, longest * 2),
  };
}

function choiceOf(cap: number | undefined, random: () => number): Answer["choices"][number] {
  const first = Math.floor(random() * SENTENCES.length);
  const count = 2 + Math.floor(random() * (SENTENCES_MAX - 1));
  const sentences = Array.from({ length: count }, (_, index) => SENTENCES[(first + index) % SENTENCES.length]);
  const words = `[simulated] ${sentences.join(" ")}`.split(" ");
  return cap !== undefined && cap < words.length ? { words: words.slice(0, cap), finishReason: "length" } : { words, finishReason: "stop" };
}

function cachedTokensOf(chat: ChatRequest, beginnings: Set<string>): number {
  const beginning = createHash("sha256").update(`${chat.model}\n`).update(Buffer.from(chat.prompt).subarray(0, CACHED_FROM_TOKENS * 4)).digest("base64");
  if (beginnings.has(beginning)) return CACHED_FROM_TOKENS;
  if (beginnings.size >= BEGINNINGS_MAX) beginnings.delete(beginnings.values().next().value as string);
  beginnings.add(beginning);
  return 0;
}
