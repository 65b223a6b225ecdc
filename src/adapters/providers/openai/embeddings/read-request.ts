import type { DialectRequest, RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { openBody } from "../body.ts";
import { readMetadata, readModel, readTags, readUser, wrong } from "../members.ts";
import type { MemberScan } from "../scan.ts";
import { ABSENT, spanOf } from "../splice.ts";
import { findUnbounded } from "./bounded.ts";
import { editRequest } from "./edit-request.ts";
import type { RequestBody } from "./wire.ts";

/*
 * A model puts an opening and a closing token around each input, some a short instruction. A token of text has at
 * least one byte; a token id takes at least one digit and the comma or bracket behind it: `[1,2]`.
 */
const TOKENS_PER_INPUT = 16;
const TOKENS_PER_REQUEST = 16;

/** Where the members stand that an edit may touch. */
export class Spans {
  model = ABSENT;
  metadata = ABSENT;
}

/** A request for embeddings: it has no output that is paid for. */
export class EmbeddingsRequest implements DialectRequest {
  readonly model: string;
  readonly stream = false;
  readonly wantsUsage = false;
  readonly declaredCap = 0;
  readonly choices = 1;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  readonly metadata: string | undefined;
  readonly bytes: number;
  readonly inputBound: number;
  readonly raw: Buffer;
  /** The raw body as latin1: offsets are byte offsets. */
  readonly text: string;
  readonly spans = new Spans();
  readonly #body: RequestBody;

  constructor(source: Uint8Array) {
    const { raw, text, parsed } = openBody(source, this.spans, noteMember);
    const body: RequestBody = parsed;
    this.raw = raw;
    this.text = text;
    this.#body = body;
    this.model = readModel(body.model);
    this.user = readUser(body.user);
    this.metadata = readMetadata(body.metadata, raw, this.spans.metadata);
    this.tags = readTags(body.tags, body.metadata);
    this.bytes = raw.length;
    this.inputBound = raw.length + countInputs(body.input) * TOKENS_PER_INPUT + TOKENS_PER_REQUEST;
  }

  unbounded(boundable: readonly string[]): string | undefined {
    return findUnbounded(this.#body, boundable);
  }

  edit(edit: RequestEdit): Uint8Array {
    return editRequest(this, edit);
  }
}

function noteMember(scan: MemberScan, spans: Spans): void {
  if (scan.named("model")) spans.model = spanOf(scan);
  else if (scan.named("metadata")) spans.metadata = spanOf(scan);
}

/** One list of token ids is one input; anything else in a list is an input of its own. */
function countInputs(input: unknown): number {
  if (input === undefined || input === null || (Array.isArray(input) && input.length === 0)) {
    throw wrong("input", "a text, an array of texts, or an array of token ids");
  }
  return Array.isArray(input) && typeof input[0] !== "number" ? input.length : 1;
}
