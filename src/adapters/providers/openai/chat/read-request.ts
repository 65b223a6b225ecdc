import type { DialectRequest, RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { openBody } from "../body.ts";
import { isObject, type JsonObject } from "../json.ts";
import { readBoolean, readCount, readMetadata, readModel, readTags, readUser, wrong } from "../members.ts";
import type { MemberScan } from "../scan.ts";
import { ABSENT, spanOf } from "../splice.ts";
import { countMembers } from "../unbounded.ts";
import { findUnbounded } from "./bounded.ts";
import { editRequest } from "./edit-request.ts";
import type { RequestBody } from "./wire.ts";

const CHOICES_MAX = 128;

/*
 * What providers put around the text they are sent. A chat template adds at most a few tokens per message and one
 * opening; the largest known preamble for tools is about 550 tokens (Anthropic's), other providers need far less.
 */
const TOKENS_PER_REQUEST = 16;
const TOKENS_PER_MESSAGE = 8;
const TOKENS_FOR_TOOLS = 600;

/** Where the members stand that an edit may touch. */
export class Spans {
  model = ABSENT;
  maxTokens = ABSENT;
  maxCompletionTokens = ABSENT;
  streamOptions = ABSENT;
  metadata = ABSENT;
  /** Members inside `messages` and `tools`, to the depth that the scanner counts. */
  messageMembers = 0;
  toolMembers = 0;
}

/** A chat completion request. One object per request, no closures: this is on the hot path. */
export class ChatRequest implements DialectRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly wantsUsage: boolean;
  readonly maxTokens: number | undefined;
  readonly maxCompletionTokens: number | undefined;
  readonly declaredCap: number | undefined;
  readonly choices: number;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  readonly metadata: string | undefined;
  readonly bytes: number;
  readonly inputBound: number;
  readonly raw: Buffer;
  /** The raw body as latin1: offsets are byte offsets. */
  readonly text: string;
  /** Offset after the opening brace of the body. */
  readonly open: number;
  readonly spans: Spans;
  readonly #body: RequestBody;

  constructor(source: Uint8Array) {
    const spans = new Spans();
    const opened = openBody(source, spans, noteMember);
    const body: RequestBody = opened.parsed;
    const { raw } = opened;
    this.raw = raw;
    this.text = opened.text;
    this.open = opened.open;
    this.spans = spans;
    this.#body = body;
    this.model = readModel(body.model);
    const messageCount = checkMessages(body.messages);
    this.stream = readBoolean(body.stream, "stream");
    this.wantsUsage = readIncludeUsage(body.stream_options);
    const maxTokens = readCount(body.max_tokens, "max_tokens");
    const maxCompletionTokens = readCount(body.max_completion_tokens, "max_completion_tokens");
    this.maxTokens = maxTokens;
    this.maxCompletionTokens = maxCompletionTokens;
    this.declaredCap = maxTokens === undefined ? maxCompletionTokens : maxCompletionTokens === undefined ? maxTokens : Math.max(maxTokens, maxCompletionTokens);
    this.choices = readChoices(body.n);
    this.user = readUser(body.user);
    this.metadata = readMetadata(body.metadata, raw, spans.metadata);
    this.tags = readTags(body.tags, body.metadata);
    this.bytes = raw.length;
    this.inputBound = raw.length + messageCount * TOKENS_PER_MESSAGE + (hasItems(body.tools) || hasItems(body.functions) ? TOKENS_FOR_TOOLS : 0) + TOKENS_PER_REQUEST;
  }

  unbounded(boundable: readonly string[]): string | undefined {
    const body = this.#body;
    const spans = this.spans;
    const repeats = spans.messageMembers !== countMembers(body.messages) ? "messages" : spans.toolMembers !== countMembers(body.tools) ? "tools" : undefined;
    return findUnbounded(body, boundable, repeats);
  }

  edit(edit: RequestEdit): Uint8Array {
    return editRequest(this, edit);
  }
}

function noteMember(scan: MemberScan, spans: Spans): void {
  // Names differ in length or first letter here, so most members cost one comparison.
  if (scan.named("messages")) spans.messageMembers = scan.innerMembers;
  else if (scan.named("model")) spans.model = spanOf(scan);
  else if (scan.named("max_tokens")) spans.maxTokens = spanOf(scan);
  else if (scan.named("max_completion_tokens")) spans.maxCompletionTokens = spanOf(scan);
  else if (scan.named("stream_options")) spans.streamOptions = spanOf(scan);
  else if (scan.named("tools")) spans.toolMembers = scan.innerMembers;
  else if (scan.named("metadata")) spans.metadata = spanOf(scan);
}

function checkMessages(value: unknown): number {
  if (!Array.isArray(value) || value.length === 0) throw wrong("messages", "an array of at least one message");
  for (let index = 0; index < value.length; index++) {
    if (!isObject(value[index])) throw wrong(`messages[${index}]`, "an object with a role and content");
  }
  return value.length;
}

function readIncludeUsage(options: unknown): boolean {
  if (options === undefined || options === null) return false;
  if (!isObject(options)) throw wrong("stream_options", "an object, such as {\"include_usage\": true}");
  return readBoolean(options["include_usage"], "stream_options.include_usage");
}

function readChoices(value: unknown): number {
  const choices = readCount(value, "n") ?? 1;
  if (choices > CHOICES_MAX) throw wrong("n", `a whole number from 1 to ${CHOICES_MAX}`);
  return choices;
}

function hasItems(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isObject(value as JsonObject);
}
