/*
 * What the chat dialect costs by itself: nanoseconds for reading and editing a request, for reading a plain answer and
 * for each chunk of a stream. Run by hand: node bench/parts/openai-dialect.ts
 */
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";

const text = (bytes: number): string => "The quick brown fox jumps over the lazy dog, then rests. ".repeat(20).slice(0, bytes);

const request = Buffer.from(
  JSON.stringify({
    model: "gpt-4o-mini",
    messages: [
      { role: "system", content: text(200) },
      { role: "user", content: text(300) },
      { role: "assistant", content: text(200) },
      { role: "user", content: text(180) },
    ],
    max_tokens: 256,
    temperature: 0.7,
    user: "customer-17",
    stream: false,
  }),
);
const streamed = Buffer.from(request.toString().replace('"stream":false', '"stream":true'));
const unicode = Buffer.from(request.toString().replace("quick", "schnelle größere"));

const answer = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx", object: "chat.completion", created: 1_767_225_600, model: "gpt-4o-mini-2024-07-18",
    choices: [{ index: 0, message: { role: "assistant", content: text(600), refusal: null, annotations: [] }, logprobs: null, finish_reason: "stop" }],
    usage: {
      prompt_tokens: 229, completion_tokens: 140, total_tokens: 369,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
    service_tier: "default", system_fingerprint: "fp_0123456789",
  }),
);

const envelope = '"id":"chatcmpl-AbCdEfGhIjKl","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4o-mini","system_fingerprint":"fp_01"';
const event = (delta: string, end = "\n\n"): Buffer => Buffer.from(`data: {${envelope},"choices":[{"index":0,"delta":${delta},"finish_reason":null}],"usage":null}${end}`);
const first = event('{"role":"assistant","content":""}');
const chunk = event('{"content":" token"}');
const returnChunk = event('{"content":" token"}', "\r\n\r\n");
const halves = [chunk.subarray(0, 100), chunk.subarray(100)] as const;
const closing = Buffer.from(`data: {${envelope},"choices":[],"usage":{"prompt_tokens":229,"completion_tokens":140,"total_tokens":369}}\n\ndata: [DONE]\n\n`);

// Kept in the integer range: a growing double would cost more than what is measured.
let sum = 0;
const sink = (value: number): void => { sum = (sum + value) & 0xffff; };
const forward = (bytes: Uint8Array): void => { sink(bytes.length); };

function measure(name: string, bytes: number, step: () => void): void {
  const rounds = 200_000;
  for (let round = 0; round < 50_000; round++) step();
  let best = Infinity;
  for (let repeat = 0; repeat < 5; repeat++) {
    const start = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) step();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / rounds);
  }
  process.stdout.write(`${name.padEnd(48)} ${String(bytes).padStart(6)} bytes ${best.toFixed(0).padStart(7)} ns\n`);
}

function opened(): ReturnType<typeof openaiChat.stream> {
  const reader = openaiChat.stream({ withholdUsage: true });
  reader.push(first, forward);
  return reader;
}

measure("JSON.parse of the request (for comparison)", request.length, () => { sink((JSON.parse(request.toString()) as { n?: number }).n ?? 1); });
measure("read", request.length, () => { sink(openaiChat.read(request).inputBound); });
measure("read, not ASCII", unicode.length, () => { sink(openaiChat.read(unicode).inputBound); });
const parsed = openaiChat.read(request);
measure("unbounded", request.length, () => { sink(parsed.unbounded([]) === undefined ? 1 : 0); });
measure("edit, nothing to do", request.length, () => { sink(parsed.edit({ model: "gpt-4o-mini", cap: 256, capField: "max_tokens", includeUsage: false }).length); });
measure("edit, model and cap", request.length, () => { sink(parsed.edit({ model: "gpt-4o-mini-2024-07-18", cap: 100, capField: "max_tokens", includeUsage: false }).length); });
const parsedStream = openaiChat.read(streamed);
measure("edit, stream options", request.length, () => { sink(parsedStream.edit({ capField: "max_tokens", includeUsage: true }).length); });
measure("JSON.parse of the answer (for comparison)", answer.length, () => { sink((JSON.parse(answer.toString()) as { created: number }).created); });
measure("plain read", answer.length, () => { sink(openaiChat.plain.read(answer).usage?.length ?? 0); });
const reader = opened();
measure("push, one event", chunk.length, () => { reader.push(chunk, forward); });
const returning = opened();
measure("push, one event ending in \\r\\n\\r\\n", returnChunk.length, () => { returning.push(returnChunk, forward); });
const halved = opened();
measure("push, one event in two pieces", chunk.length, () => { halved.push(halves[0], forward); halved.push(halves[1], forward); });
measure("a stream of two events, opened and closed", first.length + closing.length, () => {
  const whole = opened();
  whole.push(closing, forward);
  sink(whole.reading().outputBytes + (whole.release()?.length ?? 0));
});
process.stdout.write(`checked: ${sum >= 0}\n`);
