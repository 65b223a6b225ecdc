import { split, textOf, usageText, type Behaviour, type Generation, type RequestBody } from "./mock-answers.ts";

/** One vector for each input, as floats or base64 as asked. */
export function embeddingsAnswer(body: RequestBody, behaviour: Behaviour, generation: Generation): string {
  const inputs = Array.isArray(body.input) && typeof body.input[0] !== "number" ? body.input.length : 1;
  const vector = [0.25, -0.5, 1];
  const embedding = body["encoding_format"] === "base64" ? Buffer.from(new Float32Array(vector).buffer).toString("base64") : vector;
  const data = Array.from({ length: inputs }, (_, index) => ({ object: "embedding", index, embedding }));
  const usage = behaviour.usage === "none" ? "" : `,"usage":${usageText(behaviour, generation, 1, "embeddings")}`;
  return `${JSON.stringify({ object: "list", data, model: behaviour.responseModel ?? body.model }).slice(0, -1)}${usage}}`;
}

type Status = "in_progress" | "completed" | "failed";

/** A response of the Responses API, with its usage once it is complete. */
export function response(id: string, body: RequestBody, behaviour: Behaviour, generation: Generation, status: Status): unknown {
  const done = status === "completed";
  const output = done ? [message(textOf(behaviour, generation))] : [];
  const usage: unknown = done && behaviour.usage !== "none" ? JSON.parse(usageText(behaviour, generation, 1, "responses")) : null;
  const error = status === "failed" ? { code: "server_error", message: "The server had an error in the middle." } : null;
  return { id, object: "response", created_at: 1_760_000_000, status, error, incomplete_details: null, model: behaviour.responseModel ?? body.model, output, tools: [], usage };
}

/** The events of a streamed response, each with its closing blank line. */
export function responseEvents(id: string, body: RequestBody, behaviour: Behaviour, generation: Generation): string[] {
  const text = textOf(behaviour, generation);
  const pieces = split(text, behaviour.chunks ?? 5);
  const events: string[] = [];
  const add = (type: string, members: object): void => void events.push(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: events.length, ...members })}\n\n`);
  const place = { item_id: "msg_mock", output_index: 0, content_index: 0 };
  add("response.created", { response: response(id, body, behaviour, generation, "in_progress") });
  add("response.output_item.added", { output_index: 0, item: { ...message(""), status: "in_progress", content: [] } });
  add("response.content_part.added", { ...place, part: { type: "output_text", text: "", annotations: [] } });
  for (const [index, delta] of pieces.entries()) {
    if (behaviour.fault === "error_event" && index === pieces.length >> 1) {
      add("response.failed", { response: response(id, body, behaviour, generation, "failed") });
      return events;
    }
    add("response.output_text.delta", { ...place, delta, logprobs: [] });
  }
  add("response.output_text.done", { ...place, text, logprobs: [] });
  add("response.content_part.done", { ...place, part: { type: "output_text", text, annotations: [] } });
  add("response.output_item.done", { output_index: 0, item: message(text) });
  if (behaviour.fault !== "no_done") add("response.completed", { response: response(id, body, behaviour, generation, "completed") });
  return events;
}

function message(text: string): { readonly [member: string]: unknown } {
  return { id: "msg_mock", type: "message", status: "completed", role: "assistant", content: [{ type: "output_text", text, annotations: [], logprobs: [] }] };
}
