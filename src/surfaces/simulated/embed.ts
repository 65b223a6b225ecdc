import { createHash } from "node:crypto";
import type { EmbeddingsRequest } from "./read-embeddings.ts";

/** The body of an answer with embeddings: unit vectors that depend on nothing but the input and the seed. */
export function embeddingsOf(request: EmbeddingsRequest, seed: number): unknown {
  let tokens = 0;
  const data = request.inputs.map((input, index) => {
    tokens += typeof input === "string" ? Math.max(1, Math.floor(Buffer.byteLength(input) / 4)) : input.length;
    const vector = vectorOf(`${seed}\n${JSON.stringify(input)}`, request.dimensions);
    return { object: "embedding", index, embedding: request.base64 ? Buffer.from(vector.buffer).toString("base64") : [...vector] };
  });
  return { object: "list", data, model: request.model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  let block = createHash("sha256").update(text).digest();
  let squares = 0;
  for (let index = 0; index < dimensions; index++) {
    const at = (index % 16) * 2;
    if (index > 0 && at === 0) block = createHash("sha256").update(block).digest();
    const value = block.readInt16BE(at) / 32_768;
    vector[index] = value;
    squares += value * value;
  }
  const length = Math.sqrt(squares) || 1;
  return vector.map((value) => value / length);
}
