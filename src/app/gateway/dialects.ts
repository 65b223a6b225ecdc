import { openaiChat } from "../../adapters/providers/openai/chat/dialect.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";

/** Which API the gateway speaks on which path: the paths of OpenAI, with and without their version. */
export const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["/v1/chat/completions", openaiChat], ["/chat/completions", openaiChat],
]);
