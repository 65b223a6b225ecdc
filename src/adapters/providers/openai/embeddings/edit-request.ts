import type { RequestEdit } from "../../../../domain/upstream/dialect.ts";
import { applySplices, spliceModel } from "../splice.ts";
import type { EmbeddingsRequest } from "./read-request.ts";

/** The body with the provider's name of the model; the very same bytes if that is the client's (GATE 9.1). */
export function editRequest(request: EmbeddingsRequest, edit: RequestEdit): Uint8Array {
  if (edit.model === undefined || edit.model === request.model) return request.raw;
  return applySplices(request.text, [spliceModel(request.spans.model, edit.model)]);
}
