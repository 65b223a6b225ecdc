import { TollgateError } from "../../base/errors.ts";
import type { CallKind } from "./call-kind.ts";
import type { Fold } from "./metered-stream.ts";
import type { Response, ResponseOutputMessage, ResponseStreamEvent } from "./responses-wire-types.ts";

const MOCK_INPUT_TOKENS = 10;
const MOCK_OUTPUT_TOKENS = 20;

export const RESPONSES: CallKind<Response, ResponseStreamEvent> = {
  type: "responses",
  route: "responses",
  input: (params) => params["input"],
  finish: withOutputText,
  fold: () => new ResponseFold(),
  eventsOf: (response) => [
    { type: "response.created", response: { ...response, output: [], status: "in_progress" }, sequence_number: 0 },
    { type: response.status === "incomplete" ? "response.incomplete" : "response.completed", response, sequence_number: 1 },
  ],
  mock: (mockResponse, body, id, now) => {
    const response = typeof mockResponse === "string" ? responseOf(mockResponse, body, id, now) : (mockResponse as Response);
    if (body["stream"] !== true) return { status: 200, contentType: "application/json", body: JSON.stringify(response) };
    const events = typeof mockResponse === "string" ? textEvents(response, mockResponse) : RESPONSES.eventsOf(response);
    return { status: 200, contentType: "text/event-stream", body: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("") };
  },
};

/** The last event carries the whole response. */
class ResponseFold implements Fold<ResponseStreamEvent, Response> {
  private last: Response | undefined;

  add(event: ResponseStreamEvent): void {
    if ("response" in event) this.last = event.response;
  }

  answer(): Response {
    if (this.last === undefined) throw new TollgateError("upstream_failed", "The provider's stream ended without a response.");
    return withOutputText(this.last);
  }
}

/** `output_text`, as OpenAI's own client adds it. */
function withOutputText(response: Response): Response {
  if (typeof response.output_text === "string" || !Array.isArray(response.output)) return response;
  let text = "";
  for (const item of response.output) {
    if (item.type !== "message") continue;
    for (const part of (item as ResponseOutputMessage).content ?? []) if (part.type === "output_text") text += part.text;
  }
  response.output_text = text;
  return response;
}

function responseOf(text: string, body: Readonly<Record<string, unknown>>, id: string, now: number): Response {
  const cap = body["max_output_tokens"];
  const output = typeof cap === "number" ? Math.min(MOCK_OUTPUT_TOKENS, cap) : MOCK_OUTPUT_TOKENS;
  return {
    id: `resp_mock_${id}`, object: "response", created_at: Math.floor(now / 1_000), status: "completed", error: null, incomplete_details: null, model: String(body["model"]), output_text: text,
    output: [{ id: `msg_mock_${id}`, type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text, annotations: [] }] }],
    usage: { input_tokens: MOCK_INPUT_TOKENS, input_tokens_details: { cached_tokens: 0 }, output_tokens: output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: MOCK_INPUT_TOKENS + output },
  };
}

function textEvents(response: Response, text: string): ResponseStreamEvent[] {
  const place = { item_id: `msg_mock_${response.id}`, output_index: 0, content_index: 0 };
  const [created, completed] = RESPONSES.eventsOf(response) as [ResponseStreamEvent, ResponseStreamEvent];
  return [created, { type: "response.output_text.delta", delta: text, ...place, sequence_number: 1 }, { ...completed, sequence_number: 2 }];
}
