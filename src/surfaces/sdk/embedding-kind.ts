import { TollgateError } from "../../base/errors.ts";
import type { CallKind } from "./call-kind.ts";
import type { CreateEmbeddingResponse } from "./wire-types.ts";

const MOCK_PROMPT_TOKENS = 10;

export const EMBEDDING: CallKind<CreateEmbeddingResponse, never> = {
  type: "embedding",
  route: "embeddings",
  input: (params) => params["input"],
  fold: () => {
    throw new TollgateError("upstream_failed", "The provider streamed an answer to a request for embeddings. Check apiBase.");
  },
  eventsOf: () => [],
  mock: (mockResponse, body) => {
    const answer: CreateEmbeddingResponse = Array.isArray(mockResponse)
      ? { object: "list", model: String(body["model"]), data: [{ object: "embedding", index: 0, embedding: mockResponse as number[] }], usage: { prompt_tokens: MOCK_PROMPT_TOKENS, total_tokens: MOCK_PROMPT_TOKENS } }
      : (mockResponse as CreateEmbeddingResponse);
    return { status: 200, contentType: "application/json", body: JSON.stringify(answer) };
  },
};
