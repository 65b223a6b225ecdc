import { embeddingsAnswer, response, responseEvents } from "./mock-other-apis.ts";

/** The APIs that the mock speaks, by the end of the path; anything unknown is a chat completion. */
export type Api = "chat" | "embeddings" | "responses";

export function apiOf(path: string): Api {
  const plain = path.replace(/\?.*$/s, "");
  return plain.endsWith("/embeddings") ? "embeddings" : plain.endsWith("/responses") ? "responses" : "chat";
}

/** A request, as far as the mock looks at it. Anything may be anything. */
export interface RequestBody {
  readonly model?: unknown;
  readonly stream?: unknown;
  readonly stream_options?: { readonly include_usage?: unknown } | null;
  readonly max_tokens?: unknown;
  readonly max_completion_tokens?: unknown;
  readonly max_output_tokens?: unknown;
  readonly input?: unknown;
  readonly n?: unknown;
  readonly user?: unknown;
  readonly [member: string]: unknown;
}

/** How one request is answered. Everything absent is well-behaved. */
export interface Behaviour {
  /** Streams even if not asked, or never; else as asked. */
  readonly stream?: boolean;
  /** Content events of a stream; 5 unless said otherwise. */
  readonly chunks?: number;
  /** True output tokens of each choice: a random number within the cap unless said otherwise. */
  readonly completionTokens?: number | "cap" | "random";
  /** The most that the model answers when the cap is larger; 200 where no cap is sent. */
  readonly outputMaximum?: number;
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  /** Where a stream tells its usage: a last event if asked (`end`), in any case (`always`), beside the finish reason, growing in every event, or nowhere. `none` holds for plain answers too. */
  readonly usage?: "end" | "always" | "with_choices" | "cumulative" | "none";
  /** A usage object that is not true. */
  readonly lie?: "negative" | "fractional" | "absurd" | "inconsistent" | "text";
  /** Sent as the usage object, word for word (JSON text). */
  readonly usageText?: string;
  readonly headDelayMs?: number;
  readonly chunkDelayMs?: number;
  /** An error status sends OpenAI's error envelope, or `body`. */
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /**
   * `close_before_head`: the socket is destroyed unanswered; `never_answer`: nothing ever comes; `close_mid_body`,
   * `hang_mid_body`: half the answer; `no_done`: a stream ends properly, without `[DONE]` and usage; `error_event`:
   * an error object in the middle of a stream, then its end.
   */
  readonly fault?: "close_before_head" | "never_answer" | "close_mid_body" | "hang_mid_body" | "no_done" | "error_event";
  /** The answer names this model. */
  readonly responseModel?: string;
  /** Bytes of text in the answer. */
  readonly textBytes?: number;
  /** Cut at random bytes, each piece sent on its own. */
  readonly chop?: boolean;
  /** Up to three bytes a millisecond. */
  readonly trickle?: boolean;
  /** Compresses although nobody asked for it. */
  readonly encoding?: "gzip";
  /** 406 unless the request says `accept-encoding: identity`. */
  readonly identityOnly?: boolean;
  /** A plain answer without `content-length`. */
  readonly chunked?: boolean;
}

/** True tokens of an answer. */
export interface Generation {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Of all choices together. */
  readonly completionTokens: number;
  readonly choices: number;
}

/** Behaviours that a request chooses by its model name (what follows the last `/`). */
export const MODEL_BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  "full-cap": { completionTokens: "cap" },
  "usage-none": { usage: "none" },
  "usage-with-choices": { usage: "with_choices" },
  "usage-cumulative": { usage: "cumulative" },
  "usage-negative": { lie: "negative" },
  "usage-fractional": { lie: "fractional" },
  "usage-absurd": { lie: "absurd" },
  "usage-inconsistent": { lie: "inconsistent" },
  "usage-text": { lie: "text" },
  "status-400": { status: 400 },
  "status-401": { status: 401 },
  "status-403": { status: 403 },
  "status-404": { status: 404 },
  "status-429": { status: 429, headers: { "retry-after": "7" } },
  "status-500": { status: 500 },
  "status-503": { status: 503 },
  "status-529": { status: 529 },
  redirect: { status: 302, headers: { location: "http://127.0.0.1:1/elsewhere" }, body: "" },
  "close-before-head": { fault: "close_before_head" },
  "close-mid-body": { fault: "close_mid_body" },
  "hang-mid-body": { fault: "hang_mid_body" },
  "never-answer": { fault: "never_answer" },
  "no-done": { fault: "no_done" },
  "error-event": { fault: "error_event" },
  "set-cookie": { headers: { "set-cookie": ["session=secret; Path=/", "other=1"] } },
  "other-model": { responseModel: "another-model" },
  huge: { textBytes: 5_000_000 },
  trickle: { trickle: true },
  chop: { chop: true },
  gzip: { encoding: "gzip" },
  "identity-only": { identityOnly: true },
  chunked: { chunked: true },
};

const WORDS = "the gate keeps a fair and honest count of each small coin that goes through, même für 料金 🪙 and more ".split(" ");
const TEXT_BYTES_MAX = 65_536;

const STATUS_TEXT: Readonly<Record<number, readonly [type: string, message: string]>> = {
  400: ["invalid_request_error", "The request is not understood."],
  401: ["invalid_request_error", "Incorrect API key provided: sk-secret-of-the-gateway."],
  403: ["permission_error", "The project of sk-secret-of-the-gateway may not use this model."],
  404: ["invalid_request_error", "The model does not exist."],
  429: ["rate_limit_error", "Rate limit reached."],
  529: ["overloaded_error", "Overloaded."],
};

export function plainAnswer(api: Api, id: string, body: RequestBody, behaviour: Behaviour, generation: Generation): string {
  const status = behaviour.status ?? 200;
  if (behaviour.body !== undefined) return behaviour.body;
  if (status >= 300) {
    const [type, message] = STATUS_TEXT[status] ?? ["server_error", "The server had an error."];
    return JSON.stringify({ error: { message, type, param: null, code: null } });
  }
  if (api === "embeddings") return embeddingsAnswer(body, behaviour, generation);
  if (api === "responses") return JSON.stringify(response(id, body, behaviour, generation, "completed"));
  const content = textOf(behaviour, generation);
  const choices = Array.from({ length: generation.choices }, (_, index) => ({ index, message: { role: "assistant", content, refusal: null }, logprobs: null, finish_reason: "stop" }));
  const usage = behaviour.usage === "none" ? "" : `,"usage":${usageText(behaviour, generation, 1)}`;
  return `${JSON.stringify({ id, object: "chat.completion", created: 1_760_000_000, model: behaviour.responseModel ?? body.model, choices }).slice(0, -1)}${usage}}`;
}

/** The events of a stream, each with its closing blank line. */
export function streamEvents(api: Api, id: string, body: RequestBody, behaviour: Behaviour, generation: Generation): string[] {
  if (api === "responses") return responseEvents(id, body, behaviour, generation);
  const head = JSON.stringify({ id, object: "chat.completion.chunk", created: 1_760_000_000, model: behaviour.responseModel ?? body.model }).slice(0, -1);
  const asked = body.stream_options?.include_usage === true;
  const told = behaviour.usage ?? "end";
  const pieces = split(textOf(behaviour, generation), behaviour.chunks ?? 5);
  const middle = asked && told === "end" ? ',"usage":null' : "";
  const events: string[] = [];
  const add = (choices: unknown, usage = middle): void => void events.push(`data: ${head},"choices":${JSON.stringify(choices)}${usage}}\n\n`);
  const cumulative = (share: number): string => (told === "cumulative" ? `,"usage":${usageText(behaviour, generation, share)}` : middle);
  for (let index = 0; index < generation.choices; index += 1) {
    add([{ index, delta: { role: "assistant", content: "" }, finish_reason: null }], cumulative(0));
    for (const [piece, content] of pieces.entries()) {
      if (behaviour.fault === "error_event" && piece === pieces.length >> 1) {
        events.push('data: {"error":{"message":"The server had an error in the middle.","type":"server_error","param":null,"code":null}}\n\n');
        return events;
      }
      add([{ index, delta: { content }, finish_reason: null }], cumulative((index + (piece + 1) / pieces.length) / generation.choices));
    }
    if (behaviour.fault === "no_done") return events;
    const last = index === generation.choices - 1;
    add([{ index, delta: {}, finish_reason: "stop" }], last && told === "with_choices" ? `,"usage":${usageText(behaviour, generation, 1)}` : cumulative((index + 1) / generation.choices));
  }
  if (told === "always" || (told === "end" && asked)) add([], `,"usage":${usageText(behaviour, generation, 1)}`);
  events.push("data: [DONE]\n\n");
  return events;
}

export function usageText(behaviour: Behaviour, generation: Generation, share: number, api: Api = "chat"): string {
  if (behaviour.usageText !== undefined) return behaviour.usageText;
  const prompt = generation.promptTokens;
  const completion = Math.round(generation.completionTokens * share);
  const tokens = (input: number, output: number, total: number, cached: number): string =>
    api === "embeddings" ? JSON.stringify({ prompt_tokens: input, total_tokens: input + (total - input - output) })
    : api === "responses" ? JSON.stringify({ input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: total })
    : JSON.stringify({ prompt_tokens: input, completion_tokens: output, total_tokens: total, prompt_tokens_details: { cached_tokens: cached }, completion_tokens_details: { reasoning_tokens: 0 } });
  switch (behaviour.lie) {
    case "negative":
      if (api === "embeddings") return tokens(-prompt - 1, 0, -prompt - 1, 0);
      return tokens(prompt, -completion - 1, prompt - completion - 1, 0);
    case "fractional":
      if (api === "embeddings") return tokens(prompt + 0.5, 0, prompt + 0.5, 0);
      return tokens(prompt, completion + 0.5, prompt + completion + 0.5, 0);
    case "absurd":
      return tokens(1e15, 1e15, 2e15, 0);
    case "inconsistent":
      if (api === "embeddings") return JSON.stringify({ prompt_tokens: prompt, total_tokens: prompt + 1 });
      return tokens(prompt, completion, prompt + completion, prompt + 1_000);
    case "text":
      return JSON.stringify({ prompt_tokens: "many", completion_tokens: null, input_tokens: "many", output_tokens: null, total_tokens: [] });
    case undefined:
      return tokens(prompt, completion, prompt + completion, generation.cachedTokens);
  }
}

/** About four bytes a token, bounded. */
export function textOf(behaviour: Behaviour, generation: Generation): string {
  const size = behaviour.textBytes ?? Math.min(TEXT_BYTES_MAX, Math.ceil(generation.completionTokens / generation.choices) * 4);
  const period = `${WORDS.join(" ")} `;
  return period.repeat(Math.ceil(size / period.length)).slice(0, size);
}

/** Whole characters, so that an event never ends within one. */
export function split(text: string, count: number): string[] {
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / Math.max(1, count)));
  const pieces: string[] = [];
  for (let from = 0; from < characters.length; from += size) pieces.push(characters.slice(from, from + size).join(""));
  return pieces.length === 0 ? [""] : pieces;
}
