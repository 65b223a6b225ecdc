import type { RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { applySplices, spliceModel, type Splice } from "../splice.ts";
import type { ResponsesRequest } from "./read-request.ts";

/** The body with the edit spliced in; the very same bytes if there is nothing to change (GATE 9.1). */
export function editRequest(request: ResponsesRequest, edit: RequestEdit): Uint8Array {
  const splices: Splice[] = [];
  const { spans, declaredCap } = request;
  if (edit.model !== undefined && edit.model !== request.model) splices.push(spliceModel(spans.model, edit.model));
  if (edit.cap !== undefined && (declaredCap === undefined || declaredCap > edit.cap)) {
    const span = spans.maxOutputTokens;
    // A new member goes first in the body, which always has members; a `null` is filled in.
    if (span.start === 0) splices.push({ start: request.open, end: request.open, text: `"max_output_tokens":${edit.cap},` });
    else splices.push({ ...span, text: String(edit.cap) });
  }
  return splices.length === 0 ? request.raw : applySplices(request.text, splices);
}
