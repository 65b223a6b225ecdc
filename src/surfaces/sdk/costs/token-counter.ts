import { TollgateError } from "../../../base/errors.ts";
import type { Model } from "../completion-types.ts";
import type { Target } from "./cost-functions.ts";

export interface TokenCounterParams {
  model: Model;
  /** Either these or `text`. */
  messages?: readonly unknown[] | undefined;
  text?: string | undefined;
  /** For Claude and Gemini: ask the provider's own counter over the network. */
  countTokens?: boolean | undefined;
  apiKey?: string | undefined;
  apiBase?: string | undefined;
}

/** How many tokens, and how that is known. */
export interface Counted {
  readonly tokens: number;
  /** A tokenizer's name, `"provider"` (its own counter), or `"bytes"`: an upper bound, one token for each byte. */
  readonly method: "o200k_base" | "cl100k_base" | "provider" | "bytes";
  /** True for `"bytes"`: the true count is usually about a quarter of it. */
  readonly upperBound: boolean;
}

export interface TokenSources {
  /** `undefined` for models whose tokenizer is not public. */
  encodingOf(target: Target): "o200k_base" | "cl100k_base" | undefined;
  countText(encoding: "o200k_base" | "cl100k_base", text: string): Promise<number>;
  /** The provider's own counter. @throws TollgateError `missing_key`, `invalid_request`, `upstream_unreachable`, `upstream_failed` */
  askProvider(target: Target, messages: readonly unknown[], options: Pick<TokenCounterParams, "apiKey" | "apiBase">): Promise<number>;
}

/** OpenAI's chat format: three tokens around each message, one more for a name, three that begin the answer. */
const PER_MESSAGE = 3;
const PER_NAME = 1;
const ANSWER_START = 3;
const encoder = new TextEncoder();

export async function countMessages(params: TokenCounterParams, target: Target, sources: TokenSources): Promise<Counted> {
  const { messages, text } = params;
  if ((messages === undefined) === (text === undefined)) throw new TollgateError("invalid_request", "tokenCounter takes either messages or text.", { param: "messages" });
  if (messages !== undefined && !Array.isArray(messages)) throw new TollgateError("invalid_request", "messages must be a list.", { param: "messages" });
  if (text !== undefined && typeof text !== "string") throw new TollgateError("invalid_request", "text must be a text.", { param: "text" });
  if (params.countTokens === true) {
    const asked = messages ?? [{ role: "user", content: text }];
    return { tokens: await sources.askProvider(target, asked, params), method: "provider", upperBound: false };
  }
  const encoding = sources.encodingOf(target);
  if (encoding === undefined) {
    const bytes = text === undefined ? messages?.reduce<number>((sum, message) => sum + encoder.encode(JSON.stringify(message)).length, ANSWER_START) : encoder.encode(text).length;
    return { tokens: bytes ?? 0, method: "bytes", upperBound: true };
  }
  if (text !== undefined) return { tokens: await sources.countText(encoding, text), method: encoding, upperBound: false };
  let tokens = ANSWER_START;
  for (const message of messages as readonly unknown[]) {
    tokens += PER_MESSAGE;
    for (const [name, part] of piecesOf(message)) tokens += (await sources.countText(encoding, part)) + (name === "name" ? PER_NAME : 0);
  }
  return { tokens, method: encoding, upperBound: false };
}

/** The texts of a message that a model reads; parts that are no texts, such as images, have tokens that no tokenizer knows. */
function* piecesOf(message: unknown): Iterable<readonly [name: string, text: string]> {
  if (typeof message !== "object" || message === null) throw new TollgateError("invalid_request", "Each message must be an object such as { role, content }.", { param: "messages" });
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === "string") yield [name, value];
    else if (name === "content" && Array.isArray(value)) {
      for (const part of value as readonly { type?: unknown; text?: unknown }[]) {
        if (typeof part.text !== "string") throw new TollgateError("cost_not_boundable", `Tokens of content parts of the type ${JSON.stringify(part.type)} cannot be counted here.`, { param: "messages" });
        yield [name, part.text];
      }
    } else if (value !== null && value !== undefined) yield [name, JSON.stringify(value)];
  }
}
