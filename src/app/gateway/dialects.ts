import { openaiChat } from "../../adapters/providers/openai/chat/dialect.ts";
import { openaiEmbeddings } from "../../adapters/providers/openai/embeddings/dialect.ts";
import { openaiResponses } from "../../adapters/providers/openai/responses/dialect.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";

/** Which API the gateway speaks on which path: the paths of OpenAI, with and without their version. */
export const DIALECTS: ReadonlyMap<string, Dialect> = new Map<string, Dialect>([
  ["/v1/chat/completions", openaiChat], ["/chat/completions", openaiChat],
  ["/v1/responses", openaiResponses], ["/responses", openaiResponses],
  ["/v1/embeddings", openaiEmbeddings], ["/embeddings", openaiEmbeddings],
]);
