import type { Dialect } from "../../../../domain/upstream/dialect.ts";
import { EmbeddingsRequest } from "./read-request.ts";
import { plainReader } from "./read-response.ts";

/** Embeddings as OpenAI speaks them, and every provider that answers in its language. */
export const openaiEmbeddings = {
  name: "openai-embeddings",
  route: "embeddings",
  read: (body) => new EmbeddingsRequest(body),
  plain: plainReader,
  stream: undefined,
} satisfies Dialect;
