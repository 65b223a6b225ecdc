import { complaint, parseObject, type Complaint } from "./read-chat.ts";

/** A request for embeddings that makes sense. */
export interface EmbeddingsRequest {
  readonly model: string;
  /** A text or token ids each. */
  readonly inputs: readonly (string | readonly number[])[];
  readonly dimensions: number;
  readonly base64: boolean;
}

const INPUTS_MAX = 2_048;
const DIMENSIONS = 256;

/** Reads and checks the body of a request for embeddings, as a provider would. */
export function readEmbeddings(text: string): { readonly embeddings: EmbeddingsRequest } | { readonly complaint: Complaint } {
  const body = parseObject(text);
  if ("complaint" in body) return body;
  const { model, input, dimensions = DIMENSIONS, encoding_format: format = "float" } = body.object;
  if (typeof model !== "string" || model === "") return complaint("model must be a name.", "model");
  const inputs: unknown[] = typeof input === "string" || isTokens(input) ? [input] : Array.isArray(input) ? input : [];
  if (inputs.length === 0 || inputs.length > INPUTS_MAX) return complaint(`input must be a text or an array of 1 to ${INPUTS_MAX} texts or lists of token ids.`, "input");
  for (const [index, one] of inputs.entries()) if ((typeof one !== "string" || one === "") && !isTokens(one)) return complaint("An input must be a text or a list of token ids, and not empty.", `input[${index}]`);
  if (!Number.isSafeInteger(dimensions) || (dimensions as number) < 1 || (dimensions as number) > 3_072) return complaint("dimensions must be a whole number from 1 to 3072.", "dimensions");
  if (format !== "float" && format !== "base64") return complaint("encoding_format must be float or base64.", "encoding_format");
  return { embeddings: { model, inputs: inputs as EmbeddingsRequest["inputs"], dimensions: dimensions as number, base64: format === "base64" } };
}

function isTokens(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((token) => Number.isSafeInteger(token) && (token as number) >= 0);
}
