import { isAscii, isUtf8 } from "node:buffer";
import { TollgateError } from "../../../base/errors.ts";
import type { DialectRequest, RequestEdit } from "../../../domain/upstream/dialect.ts";
import { countMembers, findUnbounded } from "./bounded.ts";
import { editRequest } from "./edit-request.ts";
import { refuseProtoMembers } from "./forbidden.ts";
import { MemberScan } from "./scan.ts";
import { isObject, type JsonObject, type RequestBody } from "./wire.ts";

const DEPTH_MAX = 64;
const CHOICES_MAX = 128;
const MODEL_MAX = 256;
const LABEL_BYTES_MAX = 256;
const TAGS_MAX = 64;
const METADATA_BYTES_MAX = 16_384;

/*
 * What providers put around the text they are sent. A chat template adds at most a few tokens per message and one
 * opening; the largest known preamble for tools is about 550 tokens (Anthropic's), other providers need far less.
 */
const TOKENS_PER_REQUEST = 16;
const TOKENS_PER_MESSAGE = 8;
const TOKENS_FOR_TOOLS = 600;

/** Offsets of a member's value; a start of 0 means that there is none, since a brace stands at 0. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const ABSENT: Span = { start: 0, end: 0 };

/** Where the members stand that an edit may touch. */
export class Spans {
  /** Offset after the opening brace of the body. */
  open = 0;
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
  readonly spans: Spans;
  readonly #body: RequestBody;

  constructor(raw: Buffer, text: string, body: RequestBody, spans: Spans) {
    this.raw = raw;
    this.text = text;
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

/**
 * Reads a request body of at most 10 MB.
 * @throws TollgateError `invalid_json`, `invalid_request`, `duplicate_member`, `forbidden_member`, `body_too_deep`
 */
export function readRequest(body: Uint8Array): ChatRequest {
  const raw = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const ascii = isAscii(raw);
  if (!ascii && !isUtf8(raw)) throw new TollgateError("invalid_json", "The body is not valid UTF-8; send JSON as UTF-8 text.");
  const text = raw.toString("latin1");
  // The scan comes first: nothing deeper than the limit ever reaches the parser, which takes seconds for a nesting bomb.
  const spans = new Spans();
  const scan = scanMembers(text, spans);
  const parsed = parse(ascii ? text : raw.toString("utf8"));
  if (!isObject(parsed)) throw new TollgateError("invalid_request", `The body must be a JSON object, not ${kind(parsed)}.`);
  // A name that stands twice was scanned twice and parsed once, however it was spelled.
  if (Object.keys(parsed).length !== scan.count) throw duplicate(text);
  refuseProtoMembers(text, parsed);
  return new ChatRequest(raw, text, parsed, spans);
}

function scanMembers(text: string, spans: Spans): MemberScan {
  const scan = new MemberScan(text, 0, DEPTH_MAX);
  spans.open = scan.open;
  while (scan.next()) {
    // Names differ in length or first letter here, so most members cost one comparison.
    if (scan.named("messages")) spans.messageMembers = scan.innerMembers;
    else if (scan.named("model")) spans.model = { start: scan.valueStart, end: scan.valueEnd };
    else if (scan.named("max_tokens")) spans.maxTokens = { start: scan.valueStart, end: scan.valueEnd };
    else if (scan.named("max_completion_tokens")) spans.maxCompletionTokens = { start: scan.valueStart, end: scan.valueEnd };
    else if (scan.named("stream_options")) spans.streamOptions = { start: scan.valueStart, end: scan.valueEnd };
    else if (scan.named("tools")) spans.toolMembers = scan.innerMembers;
    else if (scan.named("metadata")) spans.metadata = { start: scan.valueStart, end: scan.valueEnd };
  }
  if (scan.tooDeep) throw new TollgateError("body_too_deep", `The body is nested deeper than ${DEPTH_MAX} levels; flatten it.`);
  return scan;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new TollgateError("invalid_json", `The body is not valid JSON: ${parserReason(error)}. Send one JSON object.`);
  }
}

/** The parser's reason and position, without the piece of the body that it quotes. */
function parserReason(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const position = /at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0];
  const reason = /^(?:Unexpected token|Unexpected end of JSON input|Unterminated string|Expected (?:property name|double-quoted property name|',' or '[\]}]' after [a-z ]+?(?= in JSON)|':' after property name)|Bad [a-z ]+?(?= in JSON| in string)|Unexpected non-whitespace character)/.exec(message)?.[0] ?? "syntax error";
  const lower = reason.charAt(0).toLowerCase() + reason.slice(1);
  return position === undefined ? lower : `${lower} ${position}`;
}

function duplicate(text: string): TollgateError {
  const seen = new Set<string>();
  for (const scan = new MemberScan(text, 0, DEPTH_MAX); scan.next(); ) {
    const name = scan.name() ?? "";
    if (seen.has(name)) {
      const param = name.slice(0, 64);
      return new TollgateError("duplicate_member", `The body has the member ${JSON.stringify(param)} twice; send it once, since parsers differ on which one wins.`, { param });
    }
    seen.add(name);
  }
  return new TollgateError("duplicate_member", "The body has a member twice; send each member once.");
}

function kind(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

function wrong(param: string, must: string): TollgateError {
  return new TollgateError("invalid_request", `${param} must be ${must}.`, { param });
}

function readModel(value: unknown): string {
  if (typeof value !== "string" || value.length === 0) throw wrong("model", "the name of a model, such as \"gpt-4o-mini\"");
  if (value.length > MODEL_MAX) throw wrong("model", `at most ${MODEL_MAX} characters long`);
  return value;
}

function checkMessages(value: unknown): number {
  if (!Array.isArray(value) || value.length === 0) throw wrong("messages", "an array of at least one message");
  for (let index = 0; index < value.length; index++) {
    if (!isObject(value[index])) throw wrong(`messages[${index}]`, "an object with a role and content");
  }
  return value.length;
}

function readBoolean(value: unknown, param: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  throw wrong(param, "true or false");
}

function readIncludeUsage(options: unknown): boolean {
  if (options === undefined || options === null) return false;
  if (!isObject(options)) throw wrong("stream_options", "an object, such as {\"include_usage\": true}");
  return readBoolean(options["include_usage"], "stream_options.include_usage");
}

function readCount(value: unknown, param: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw wrong(param, "a whole number of at least 1");
  return value as number;
}

function readChoices(value: unknown): number {
  const choices = readCount(value, "n") ?? 1;
  if (choices > CHOICES_MAX) throw wrong("n", `a whole number from 1 to ${CHOICES_MAX}`);
  return choices;
}

function readUser(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isLabel(value)) throw wrong("user", `a text of at most ${LABEL_BYTES_MAX} bytes`);
  return value;
}

function isLabel(value: unknown): value is string {
  return typeof value === "string" && (value.length * 3 <= LABEL_BYTES_MAX || Buffer.byteLength(value) <= LABEL_BYTES_MAX);
}

function readMetadata(value: unknown, raw: Buffer, span: Span): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrong("metadata", "an object");
  if (span.end - span.start > METADATA_BYTES_MAX) throw wrong("metadata", `at most ${METADATA_BYTES_MAX} bytes of JSON`);
  return raw.toString("utf8", span.start, span.end);
}

const NO_TAGS: readonly string[] = [];

/** `tags` and `metadata.tags`, each once. A `metadata.tags` that is one text is OpenAI's own kind of metadata and no list of ours. */
function readTags(tags: unknown, metadata: unknown): readonly string[] {
  const inMetadata = isObject(metadata) ? metadata["tags"] : undefined;
  if ((tags === undefined || tags === null) && (inMetadata === undefined || inMetadata === null || typeof inMetadata === "string")) return NO_TAGS;
  const all = new Set<string>();
  if (tags !== undefined && tags !== null) collectTags(tags, "tags", all);
  if (inMetadata !== undefined && inMetadata !== null && typeof inMetadata !== "string") collectTags(inMetadata, "metadata.tags", all);
  return [...all];
}

function collectTags(value: unknown, param: string, all: Set<string>): void {
  const must = `an array of at most ${TAGS_MAX} texts, each of at most ${LABEL_BYTES_MAX} bytes`;
  if (!Array.isArray(value) || value.length > TAGS_MAX) throw wrong(param, must);
  for (const tag of value as readonly unknown[]) {
    if (!isLabel(tag) || tag.length === 0) throw wrong(param, must);
    all.add(tag);
  }
}

function hasItems(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isObject(value as JsonObject);
}
