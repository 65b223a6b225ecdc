import { setTimeout as wait } from "node:timers/promises";
import type { DemoKeyInUse } from "./set-up.ts";
import { seededRandom } from "./random.ts";

/** What the demo's clients saw. */
export interface Tally {
  sent: number;
  answered: number;
  inFlight: number;
  /** Refusals of the gate by code, and by the key that met them. */
  readonly refused: Map<string, number>;
  readonly refusedByKey: Map<string, number>;
  /** One refusal of each code, as its client read it. */
  readonly examples: Map<string, string>;
  upstreamErrors: number;
  clientsLeft: number;
}

const REFUSALS = new Set(["budget_exceeded", "budget_held", "rate_limited", "request_exceeds_tpm"]);
const LEAVES = 0.03;
const FIRST_MODEL = 0.8;

export function newTally(): Tally {
  return { sent: 0, answered: 0, inFlight: 0, refused: new Map(), refusedByKey: new Map(), examples: new Map(), upstreamErrors: 0, clientsLeft: 0 };
}

/** Sends each key's requests at random instants until `signal`, then waits for the answers that are still open. */
export async function runTraffic(url: string, keys: readonly DemoKeyInUse[], seed: number, tally: Tally, signal: AbortSignal): Promise<void> {
  const open = new Set<Promise<void>>();
  await Promise.all(keys.map(async (key, index) => {
    const random = seededRandom(seed * 1_000 + index);
    for (let number = 1; ; number += 1) {
      const pauseMs = (-Math.log(1 - random()) * 60_000) / key.requestsPerMinute;
      const request = requestOf(key, number, random);
      await wait(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const answered = sendOne(url, key, request, tally).finally(() => open.delete(answered));
      open.add(answered);
    }
  }));
  await Promise.all(open);
}

interface DemoRequest {
  readonly body: { readonly model: string; readonly stream: boolean };
  readonly leaves: boolean;
}

function requestOf(key: DemoKeyInUse, number: number, random: () => number): DemoRequest {
  const model = random() < FIRST_MODEL ? key.models[0] : (key.models[Math.floor(random() * key.models.length)] ?? key.models[0]);
  const prompt = key.prompts[Math.floor(random() * key.prompts.length)] ?? key.prompts[0];
  const context = "Background for this request, as an application would send it. ".repeat(Math.ceil((key.contextBytes * (0.5 + random())) / 63));
  const stream = random() < key.streams;
  const customer = key.customerNames[Math.floor(random() * key.customerNames.length)];
  const body = {
    model, stream, messages: [{ role: "system", content: context }, { role: "user", content: `${prompt} (${number})` }],
    ...(key.maxTokens === undefined ? {} : { max_tokens: key.maxTokens }), ...(customer === undefined ? {} : { user: customer }),
  };
  return { body, leaves: stream && random() < LEAVES };
}

async function sendOne(url: string, key: DemoKeyInUse, request: DemoRequest, tally: Tally): Promise<void> {
  tally.sent += 1;
  tally.inFlight += 1;
  const leaving = new AbortController();
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST", signal: leaving.signal, headers: { authorization: `Bearer ${key.secret}`, "content-type": "application/json" }, body: JSON.stringify(request.body),
    });
    if (request.leaves && response.status === 200) {
      await response.body?.getReader().read();
      tally.clientsLeft += 1;
      leaving.abort();
      return;
    }
    count(tally, key, response.status, await response.text());
  } catch {
    tally.upstreamErrors += 1;
  } finally {
    tally.inFlight -= 1;
  }
}

function count(tally: Tally, key: DemoKeyInUse, status: number, text: string): void {
  if (status === 200) {
    // A stream that broke off ends with an error event.
    if (text.includes('"tollgate_code"')) tally.upstreamErrors += 1;
    else tally.answered += 1;
    return;
  }
  const error = errorIn(text);
  if (error.code === undefined || !REFUSALS.has(error.code)) {
    tally.upstreamErrors += 1;
    return;
  }
  tally.refused.set(error.code, (tally.refused.get(error.code) ?? 0) + 1);
  tally.refusedByKey.set(key.name, (tally.refusedByKey.get(key.name) ?? 0) + 1);
  if (!tally.examples.has(error.code)) tally.examples.set(error.code, `${status}: ${error.message}`);
}

function errorIn(text: string): { code: string | undefined; message: string } {
  try {
    const { error } = JSON.parse(text) as { error?: { tollgate_code?: string; message?: string } };
    return { code: error?.tollgate_code, message: error?.message ?? "" };
  } catch {
    return { code: undefined, message: "" };
  }
}
