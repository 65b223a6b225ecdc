// The one kind of traffic that every target sees: a request of about 1.1 KB, an answer of about 1.2 KB, and streams of
// 100 events. What the simulated upstream does with a request is asked for inside its text, because that is the only
// part that every gateway passes on unchanged.

export const MODEL = "gpt-4o-mini";
export const STREAM_CHUNKS = 100;
/** Events of one stream leave this far apart, so that no proxy can save work by reading several at once. */
export const CHUNK_INTERVAL_MS = 5;

export type UpstreamMode =
  /** Answer at once; a stream sends its events evenly. */
  | "fast"
  /** Answer after `delayMs`. */
  | "delay"
  /** Streams only: the first event, then silence until the connection closes. */
  | "idle";

const QUESTION =
  "Our online shop sells bicycles and spare parts in eleven countries. Customers write to us in many languages, mostly about " +
  "late deliveries, missing parts, wrong sizes and refunds. Please read the message below, decide which of the four groups it " +
  "belongs to, say how urgent it is on a scale from one to five, and draft a friendly answer of at most six sentences that " +
  "names the order, says what happens next and by when, and offers a contact for further questions. Message: I ordered a rear " +
  "wheel for my touring bike two weeks ago and the parcel has been in the same sorting centre for nine days. The tour starts " +
  "on Saturday. Can you send another one by express, or shall I buy one here and return yours when it finally arrives?";

/** Bytes of a chat completion request, as an OpenAI client sends it. */
export function requestBody(options: { readonly stream: boolean; readonly mode?: UpstreamMode; readonly delayMs?: number }): Buffer {
  const mode = options.mode ?? "fast";
  const marker = mode === "fast" ? "" : ` [bench:${mode}${mode === "delay" ? `=${options.delayMs ?? 300}` : ""}]`;
  return Buffer.from(JSON.stringify({
    model: MODEL,
    messages: [
      { role: "system", content: "You are the assistant of a customer service team. Answer in plain English. Never promise a refund." },
      { role: "user", content: QUESTION + marker },
    ],
    temperature: 0.2,
    max_tokens: 256,
    ...(options.stream ? { stream: true } : {}),
  }));
}

/** What the simulated upstream reads out of a request. */
export function readMarkers(body: Buffer): { mode: UpstreamMode; delayMs: number; stream: boolean; wantsUsage: boolean } {
  const text = body.toString("latin1");
  const marker = /\[bench:(idle|delay)(?:=(\d+))?\]/.exec(text);
  return {
    mode: marker === null ? "fast" : (marker[1] as UpstreamMode),
    delayMs: Number(marker?.[2] ?? 0),
    stream: /"stream":\s*true/.test(text),
    wantsUsage: /"include_usage":\s*true/.test(text),
  };
}

const USAGE = {
  prompt_tokens: 214, completion_tokens: 98, total_tokens: 312,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};

const ANSWER =
  "Group: late delivery. Urgency: five. Draft: Thank you for writing to us, and I am sorry that your rear wheel has been stuck for so " +
  "long just before your tour. I have asked the carrier to trace the parcel today and will have an answer by tomorrow noon. To be safe " +
  "I have also put a second wheel aside, which can leave our warehouse by express this afternoon if you confirm your address. Should " +
  "both arrive, simply hand one back with the label that we enclose. For anything else, please answer this message.";

/** A plain answer of about 1.2 KB, as the upstream's HTTP response. */
export function plainResponse(): Buffer {
  const body = Buffer.from(JSON.stringify({
    id: "chatcmpl-simulated0000000000000000", object: "chat.completion", created: 1_790_000_000, model: `${MODEL}-2024-07-18`,
    choices: [{ index: 0, message: { role: "assistant", content: ANSWER, refusal: null, annotations: [] }, logprobs: null, finish_reason: "stop" }],
    usage: USAGE, service_tier: "default", system_fingerprint: "fp_simulated",
  }));
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-simulated: bench\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** The parts of a streamed answer, each already framed as one HTTP chunk. */
export interface StreamParts {
  readonly head: Buffer;
  readonly events: readonly Buffer[];
  readonly usage: Buffer;
  readonly done: Buffer;
}

export function streamParts(): StreamParts {
  const frame = (text: string): Buffer => Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  const event = (choices: readonly unknown[], usage?: unknown): Buffer => frame(`data: ${JSON.stringify({
    id: "chatcmpl-simulated0000000000000000", object: "chat.completion.chunk", created: 1_790_000_000, model: `${MODEL}-2024-07-18`,
    service_tier: "default", system_fingerprint: "fp_simulated", choices, ...(usage === undefined ? {} : { usage }),
  })}\n\n`);
  const words = ANSWER.split(" ");
  const events = Array.from({ length: STREAM_CHUNKS }, (_, index) => {
    const delta = index === 0 ? { role: "assistant", content: "" } : index === STREAM_CHUNKS - 1 ? {} : { content: ` ${words[index % words.length]}` };
    return event([{ index: 0, delta, logprobs: null, finish_reason: index === STREAM_CHUNKS - 1 ? "stop" : null }]);
  });
  return {
    head: Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-simulated: bench\r\ntransfer-encoding: chunked\r\n\r\n"),
    events,
    usage: event([], USAGE),
    done: Buffer.concat([frame("data: [DONE]\n\n"), Buffer.from("0\r\n\r\n")]),
  };
}
