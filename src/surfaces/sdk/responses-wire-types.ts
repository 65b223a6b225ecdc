/*
 * OpenAI's Responses API as far as programs usually look at it: text, reasoning and calls are typed to the end, other
 * kinds of items by their `type` alone. What OpenAI's own types describe is assignable to these.
 */

export interface ResponseOutputText {
  annotations: unknown[];
  text: string;
  type: "output_text";
  logprobs?: unknown[];
}

export interface ResponseOutputRefusal {
  refusal: string;
  type: "refusal";
}

export interface ResponseOutputMessage {
  id: string;
  content: (ResponseOutputText | ResponseOutputRefusal)[];
  role: "assistant";
  status: "in_progress" | "completed" | "incomplete";
  type: "message";
  phase?: "commentary" | "final_answer" | null;
}

export interface ResponseFunctionCall {
  arguments: string;
  call_id: string;
  name: string;
  type: "function_call";
  id?: string;
  status?: "in_progress" | "completed" | "incomplete";
}

export interface ResponseReasoningItem {
  id: string;
  summary: { text: string; type: "summary_text" }[];
  type: "reasoning";
  content?: { text: string; type: "reasoning_text" }[];
  encrypted_content?: string | null;
  status?: "in_progress" | "completed" | "incomplete";
}

/** Any other item, such as a hosted tool's call. */
export interface ResponseOtherItem {
  type: string & {};
}

export type ResponseOutputItem = ResponseOutputMessage | ResponseFunctionCall | ResponseReasoningItem | ResponseOtherItem;

export interface ResponseUsage {
  input_tokens: number;
  input_tokens_details: { cached_tokens: number };
  output_tokens: number;
  output_tokens_details: { reasoning_tokens: number };
  total_tokens: number;
}

export interface Response {
  id: string;
  /** All texts of the output, joined; made by the client, as in OpenAI's own. */
  output_text: string;
  created_at: number;
  error: { code: string; message: string } | null;
  incomplete_details: { reason?: string } | null;
  model: string;
  object: "response";
  output: ResponseOutputItem[];
  max_output_tokens?: number | null;
  previous_response_id?: string | null;
  status?: "completed" | "failed" | "in_progress" | "cancelled" | "queued" | "incomplete";
  temperature?: number | null;
  top_p?: number | null;
  usage?: ResponseUsage;
}

/** An event of a stream, told apart by `type`. */
export type ResponseStreamEvent =
  | { type: "response.created" | "response.in_progress" | "response.queued"; response: Response; sequence_number: number }
  | { type: "response.completed" | "response.incomplete" | "response.failed"; response: Response; sequence_number: number }
  | { type: "response.output_text.delta"; delta: string; item_id: string; output_index: number; content_index: number; sequence_number: number }
  | { type: "response.output_text.done"; text: string; item_id: string; output_index: number; content_index: number; sequence_number: number }
  | { type: "response.refusal.delta"; delta: string; item_id: string; output_index: number; content_index: number; sequence_number: number }
  | { type: "response.function_call_arguments.delta"; delta: string; item_id: string; output_index: number; sequence_number: number }
  | { type: "response.function_call_arguments.done"; arguments: string; item_id: string; output_index: number; sequence_number: number }
  | { type: "response.reasoning_summary_text.delta"; delta: string; item_id: string; output_index: number; summary_index: number; sequence_number: number }
  | { type: "response.output_item.added" | "response.output_item.done"; item: ResponseOutputItem; output_index: number; sequence_number: number }
  | { type: "response.content_part.added" | "response.content_part.done"; part: unknown; item_id: string; output_index: number; content_index: number; sequence_number: number };

/** The request, apart from `model`, `user` and `metadata`, which are Tollgate's. */
export interface ResponsesRequest {
  /** A text, or items as OpenAI describes them; answers' items may be handed back as they came. */
  input: string | readonly object[];
  instructions?: string | null;
  max_output_tokens?: number | null;
  max_tool_calls?: number | null;
  parallel_tool_calls?: boolean | null;
  previous_response_id?: string | null;
  include?: readonly string[] | null;
  reasoning?: { effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null; summary?: "auto" | "concise" | "detailed" | null } | null;
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  store?: boolean | null;
  stream_options?: { include_obfuscation?: boolean } | null;
  temperature?: number | null;
  text?: { format?: object; verbosity?: "low" | "medium" | "high" | null };
  tool_choice?: "none" | "auto" | "required" | object;
  tools?: readonly object[];
  top_logprobs?: number | null;
  top_p?: number | null;
  truncation?: "auto" | "disabled" | null;
  safety_identifier?: string | null;
  prompt_cache_key?: string | null;
  background?: boolean | null;
}
