import type { RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { MemberScan, skipSpace } from "../scan.ts";
import { applySplices, spliceModel, type Span, type Splice } from "../splice.ts";
import type { ChatRequest } from "./read-request.ts";

/** The body with the edit spliced in; the very same bytes if there is nothing to change (GATE 9.1). */
export function editRequest(request: ChatRequest, edit: RequestEdit): Uint8Array {
  const splices: Splice[] = [];
  const { spans } = request;
  if (edit.model !== undefined && edit.model !== request.model) {
    splices.push(spliceModel(spans.model, edit.model));
  }
  // New members go first in the body, which always has members: a comma must follow each.
  let added = "";
  if (edit.cap !== undefined) added += spliceCap(request, edit.cap, edit.capField, splices);
  if (edit.includeUsage && request.stream && !request.wantsUsage) added += spliceUsage(request.text, spans.streamOptions, splices);
  if (added !== "") splices.push({ start: request.open, end: request.open, text: added });
  return splices.length === 0 ? request.raw : applySplices(request.text, splices);
}

/** Lowers every declared cap above the granted one; where none is declared, fills in a `null` or returns the member to add. */
function spliceCap(request: ChatRequest, cap: number, capField: RequestEdit["capField"], splices: Splice[]): string {
  const { spans, maxTokens, maxCompletionTokens } = request;
  const text = String(cap);
  if (request.declaredCap === undefined) {
    const span = capField === "max_tokens" ? spans.maxTokens : spans.maxCompletionTokens;
    if (span.start === 0) return `"${capField}":${text},`;
    splices.push({ ...span, text });
    return "";
  }
  if (maxTokens !== undefined && maxTokens > cap) splices.push({ ...spans.maxTokens, text });
  if (maxCompletionTokens !== undefined && maxCompletionTokens > cap) splices.push({ ...spans.maxCompletionTokens, text });
  return "";
}

/** Sets `stream_options.include_usage`, keeping every other byte of the object; returns the member to add if there is none. */
function spliceUsage(text: string, options: Span, splices: Splice[]): string {
  if (options.start === 0) return '"stream_options":{"include_usage":true},';
  const scan = new MemberScan(text, options.start, Number.MAX_SAFE_INTEGER);
  if (scan.open < 0) {
    splices.push({ ...options, text: '{"include_usage":true}' });
    return "";
  }
  let found = false;
  while (scan.next()) {
    if (!scan.named("include_usage")) continue;
    // All of them if it stands twice, since parsers differ on which one wins.
    found = true;
    splices.push({ start: scan.valueStart, end: scan.valueEnd, text: "true" });
  }
  if (!found) {
    const empty = text[skipSpace(text, scan.open)] === "}";
    splices.push({ start: scan.open, end: scan.open, text: `"include_usage":true${empty ? "" : ","}` });
  }
  return "";
}
