import OpenAI from "openai";
import { CostTracker } from "../src/app/books/cost-tracker.ts";
import { createTollgate } from "../src/app/sdk.ts";
import { requestBody, STREAM_CHUNKS } from "./traffic.ts";

// One program of the SDK bench: makes calls one way, eight at a time (streams, which are paced by the upstream: 64), and reports its CPU per call on stdout.
// Usage: sdk-program.ts WAY MILLISECONDS UPSTREAM_URL LEDGER|memory
const [way, duration, url, place] = process.argv.slice(2) as [string, string, string, string];
const streams = way.endsWith(", streamed");
const CONCURRENCY = streams ? 64 : 8;
const EXPECTED = streams ? STREAM_CHUNKS : 98;

export interface SdkReport {
  readonly calls: number;
  readonly cpuMicrosPerCall: number;
}

let entries = 0;
const tracker = place === "memory" ? undefined : new CostTracker({ path: place });
const tollgate = createTollgate({ tracker, maxBudget: 1_000_000, onEntry: () => { entries += 1; } });
const text = requestBody({ stream: streams }).toString();
const { stream: _, ...params } = JSON.parse(text) as OpenAI.ChatCompletionCreateParamsNonStreaming;
const init = { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer sk-bench" }, body: text };
const trackedFetch = tollgate.track(globalThis.fetch);
const client = new OpenAI({ apiKey: "sk-bench", baseURL: `${url}/v1` });
const trackedClient = tollgate.track(client);

const viaFetch = async (fetch: typeof globalThis.fetch): Promise<number> => {
  const response = await fetch(`${url}/v1/chat/completions`, init);
  return ((await response.json()) as OpenAI.ChatCompletion).usage?.completion_tokens ?? 0;
};
/** Reads a stream as a program would that passes its bytes on; the events are counted by their first letters. */
const streamFetch = async (fetch: typeof globalThis.fetch): Promise<number> => {
  const response = await fetch(`${url}/v1/chat/completions`, init);
  const decoder = new TextDecoder();
  let events = 0;
  for await (const bytes of response.body as ReadableStream<Uint8Array>) events += decoder.decode(bytes, { stream: true }).split("data: {").length - 1;
  return events;
};
const countOf = async (events: AsyncIterable<unknown>): Promise<number> => {
  let count = 0;
  for await (const _ of events) count += 1;
  return count;
};
const ours = { ...params, model: `openai/${params.model}`, apiKey: "sk-bench", apiBase: `${url}/v1` } as Omit<Parameters<typeof tollgate.completion>[0], "stream">;
const viaClient = async (of: OpenAI): Promise<number> => (await of.chat.completions.create(params)).usage?.completion_tokens ?? 0;
const WAYS: Readonly<Record<string, () => Promise<number>>> = {
  "fetch": () => viaFetch(globalThis.fetch),
  "track(fetch)": () => viaFetch(trackedFetch),
  "openai": () => viaClient(client),
  "track(client)": () => viaClient(trackedClient),
  "completion": async () => (await tollgate.completion({ ...ours, stream: false })).usage?.completion_tokens ?? 0,
  "fetch, streamed": () => streamFetch(globalThis.fetch),
  "track(fetch), streamed": () => streamFetch(trackedFetch),
  "openai, streamed": async () => countOf(await client.chat.completions.create({ ...params, stream: true })),
  "track(client), streamed": async () => countOf(await trackedClient.chat.completions.create({ ...params, stream: true })),
  // Its last event, which it asks for itself, tells the usage.
  "completion, streamed": async () => (await countOf(await tollgate.completion({ ...ours, stream: true }))) && STREAM_CHUNKS,
};
const call = WAYS[way];
if (call === undefined) throw new Error(`no way is called ${way}`);

async function callsFor(ms: number): Promise<number> {
  const end = performance.now() + ms;
  let calls = 0;
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    while (performance.now() < end) {
      if (await call?.() !== EXPECTED) throw new Error("an answer was not the upstream's");
      calls += 1;
    }
  }));
  return calls;
}

const warm = await callsFor(Number(duration) / 2);
const before = process.cpuUsage();
const calls = await callsFor(Number(duration));
const used = process.cpuUsage(before);
await tracker?.close();
const metered = /^(?:fetch|openai)\b/.test(way) ? 0 : warm + calls;
if (entries !== metered) throw new Error(`${way}: ${metered} calls made ${entries} entries`);
process.stdout.write(JSON.stringify({ calls, cpuMicrosPerCall: (used.user + used.system) / calls } satisfies SdkReport));
process.exit(0);
