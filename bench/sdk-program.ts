import OpenAI from "openai";
import { CostTracker } from "../src/app/books/cost-tracker.ts";
import { createTollgate } from "../src/app/sdk.ts";
import { requestBody } from "./traffic.ts";

// One program of the SDK bench: makes calls one way, eight at a time, and reports its CPU per call on stdout.
// Usage: sdk-program.ts WAY MILLISECONDS UPSTREAM_URL LEDGER|memory
const [way, duration, url, place] = process.argv.slice(2) as [string, string, string, string];
const CONCURRENCY = 8;

export interface SdkReport {
  readonly calls: number;
  readonly cpuMicrosPerCall: number;
}

let entries = 0;
const tracker = place === "memory" ? undefined : new CostTracker({ path: place });
const tollgate = createTollgate({ tracker, maxBudget: 1_000_000, onEntry: () => { entries += 1; } });
const text = requestBody({ stream: false }).toString();
const params = JSON.parse(text) as OpenAI.ChatCompletionCreateParamsNonStreaming;
const init = { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer sk-bench" }, body: text };
const trackedFetch = tollgate.track(globalThis.fetch);
const client = new OpenAI({ apiKey: "sk-bench", baseURL: `${url}/v1` });
const trackedClient = tollgate.track(client);

const viaFetch = async (fetch: typeof globalThis.fetch): Promise<number> => {
  const response = await fetch(`${url}/v1/chat/completions`, init);
  return ((await response.json()) as OpenAI.ChatCompletion).usage?.completion_tokens ?? 0;
};
const viaClient = async (of: OpenAI): Promise<number> => (await of.chat.completions.create(params)).usage?.completion_tokens ?? 0;
const WAYS: Readonly<Record<string, () => Promise<number>>> = {
  "fetch": () => viaFetch(globalThis.fetch),
  "track(fetch)": () => viaFetch(trackedFetch),
  "openai": () => viaClient(client),
  "track(client)": () => viaClient(trackedClient),
  "completion": async () => (await tollgate.completion({ ...params, model: `openai/${params.model}`, apiKey: "sk-bench", apiBase: `${url}/v1` } as Parameters<typeof tollgate.completion>[0] & { stream?: false })).usage?.completion_tokens ?? 0,
};
const call = WAYS[way];
if (call === undefined) throw new Error(`no way is called ${way}`);

async function callsFor(ms: number): Promise<number> {
  const end = performance.now() + ms;
  let calls = 0;
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    while (performance.now() < end) {
      if (await call?.() !== 98) throw new Error("an answer was not the upstream's");
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
const metered = way === "fetch" || way === "openai" ? 0 : warm + calls;
if (entries !== metered) throw new Error(`${way}: ${metered} calls made ${entries} entries`);
process.stdout.write(JSON.stringify({ calls, cpuMicrosPerCall: (used.user + used.system) / calls } satisfies SdkReport));
process.exit(0);
