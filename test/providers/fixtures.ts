import { readFileSync } from "node:fs";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import type { Dialect, Reading } from "../../src/domain/upstream/dialect.ts";

/** The bytes of a provider's answer. */
export function fixture(name: string, dialect: "chat" | "embeddings" | "responses" = "chat"): Buffer {
  return readFileSync(new URL(`../../src/adapters/providers/openai/${dialect}/__fixtures__/${name}`, import.meta.url));
}

export interface Heard {
  readonly forwarded: string;
  readonly released: string;
  readonly closed: boolean;
  readonly before: Reading;
  readonly after: Reading;
}

/** Plays a stream in the given pieces; texts are latin1, a character a byte. */
export function listen(pieces: readonly Uint8Array[], withholdUsage: boolean, dialect: Pick<Dialect, "stream"> = openaiChat): Heard {
  const reader = (dialect.stream as NonNullable<Dialect["stream"]>)({ withholdUsage });
  const seen: Buffer[] = [];
  let closed = false;
  // Kept by reference until the end, as a slow client's queue does: later pieces must not write into earlier bytes.
  for (const piece of pieces) closed = reader.push(piece, (bytes) => seen.push(bytes as Buffer));
  const before = reader.reading();
  const released = reader.release();
  return {
    forwarded: Buffer.concat(seen).toString("latin1"),
    released: released === undefined ? "" : Buffer.from(released).toString("latin1"),
    closed,
    before,
    after: reader.reading(),
  };
}
