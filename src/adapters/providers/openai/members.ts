import { TollgateError } from "../../../base/errors.ts";
import { isObject } from "./json.ts";
import type { Span } from "./splice.ts";

/* Members that mean the same in every dialect of a request. `null` means absent. */

const MODEL_MAX = 256;
const LABEL_BYTES_MAX = 256;
const TAGS_MAX = 64;
const METADATA_BYTES_MAX = 16_384;

export function wrong(param: string, must: string): TollgateError {
  return new TollgateError("invalid_request", `${param} must be ${must}.`, { param });
}

export function readModel(value: unknown): string {
  if (typeof value !== "string" || value.length === 0) throw wrong("model", "the name of a model, such as \"gpt-4o-mini\"");
  if (!value.isWellFormed()) throw wrong("model", "text without halves of surrogate pairs");
  if (value.length > MODEL_MAX) throw wrong("model", `at most ${MODEL_MAX} characters long`);
  return value;
}

export function readBoolean(value: unknown, param: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  throw wrong(param, "true or false");
}

export function readCount(value: unknown, param: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw wrong(param, "a whole number of at least 1");
  return value as number;
}

export function readUser(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isLabel(value)) throw wrong("user", `a text of at most ${LABEL_BYTES_MAX} bytes, without halves of surrogate pairs`);
  return value;
}

/** Half a surrogate pair has no bytes: what is stored of it would be another name, and two would become one. */
function isLabel(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed() && (value.length * 3 <= LABEL_BYTES_MAX || Buffer.byteLength(value) <= LABEL_BYTES_MAX);
}

export function readMetadata(value: unknown, raw: Buffer, span: Span): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrong("metadata", "an object");
  if (span.end - span.start > METADATA_BYTES_MAX) throw wrong("metadata", `at most ${METADATA_BYTES_MAX} bytes of JSON`);
  return raw.toString("utf8", span.start, span.end);
}

const NO_TAGS: readonly string[] = [];

/** `tags` and `metadata.tags`, each once. A `metadata.tags` that is one text is OpenAI's own kind of metadata and no list of ours. */
export function readTags(tags: unknown, metadata: unknown): readonly string[] {
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
