import type { DialectRequest, RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { openBody } from "../body.ts";
import { readBoolean, readCount, readMetadata, readModel, readTags, readUser, wrong } from "../members.ts";
import type { MemberScan } from "../scan.ts";
import { ABSENT, spanOf } from "../splice.ts";
import { countMembers } from "../unbounded.ts";
import { findUnbounded } from "./bounded.ts";
import { editRequest } from "./edit-request.ts";
import type { RequestBody } from "./wire.ts";

/* What providers put around the text they are sent: a template for each item and for `instructions`, a preamble for tools. */
const TOKENS_PER_REQUEST = 32;
const TOKENS_PER_ITEM = 8;
const TOKENS_FOR_TOOLS = 600;

/** Where the members stand that an edit may touch. */
export class Spans {
  model = ABSENT;
  maxOutputTokens = ABSENT;
  metadata = ABSENT;
  /** Members inside `input` and `tools`, to the depth that the scanner counts. */
  inputMembers = 0;
  toolMembers = 0;
}

/** A request of the Responses API. Its stream tells its usage unasked, in an event that every client wants. */
export class ResponsesRequest implements DialectRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly wantsUsage = true;
  readonly declaredCap: number | undefined;
  readonly choices = 1;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  readonly metadata: string | undefined;
  readonly bytes: number;
  readonly inputBound: number;
  readonly raw: Buffer;
  /** The raw body as latin1: offsets are byte offsets. */
  readonly text: string;
  /** Offset after the opening brace. */
  readonly open: number;
  readonly spans = new Spans();
  readonly #body: RequestBody;

  constructor(source: Uint8Array) {
    const { spans } = this;
    const { raw, text, parsed, open } = openBody(source, spans, noteMember);
    const body: RequestBody = parsed;
    this.raw = raw;
    this.text = text;
    this.open = open;
    this.#body = body;
    this.model = readModel(body.model);
    const itemCount = countItems(body.input);
    this.stream = readBoolean(body.stream, "stream");
    this.declaredCap = readCount(body.max_output_tokens, "max_output_tokens");
    this.user = readUser(body.user);
    this.metadata = readMetadata(body.metadata, raw, spans.metadata);
    this.tags = readTags(body.tags, body.metadata);
    this.bytes = raw.length;
    this.inputBound = raw.length + itemCount * TOKENS_PER_ITEM + (Array.isArray(body.tools) && body.tools.length > 0 ? TOKENS_FOR_TOOLS : 0) + TOKENS_PER_REQUEST;
  }

  unbounded(boundable: readonly string[]): string | undefined {
    const { spans } = this;
    const body = this.#body;
    const repeats = spans.inputMembers !== countMembers(body.input) ? "input" : spans.toolMembers !== countMembers(body.tools) ? "tools" : undefined;
    return findUnbounded(body, boundable, repeats);
  }

  edit(edit: RequestEdit): Uint8Array {
    return editRequest(this, edit);
  }
}

function noteMember(scan: MemberScan, spans: Spans): void {
  if (scan.named("input")) spans.inputMembers = scan.innerMembers;
  else if (scan.named("model")) spans.model = spanOf(scan);
  else if (scan.named("max_output_tokens")) spans.maxOutputTokens = spanOf(scan);
  else if (scan.named("tools")) spans.toolMembers = scan.innerMembers;
  else if (scan.named("metadata")) spans.metadata = spanOf(scan);
}

/** `input` may be missing: a stored prompt, or the response before, can stand for it. */
function countItems(input: unknown): number {
  if (input === undefined || input === null || typeof input === "string") return 1;
  if (!Array.isArray(input)) throw wrong("input", "a text or an array of items");
  return input.length;
}
