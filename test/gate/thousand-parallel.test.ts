import OpenAI from "openai";
import { afterEach, expect, test } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import type { Behaviour } from "../support/mock-provider.ts";
import { seededRandom, type Random } from "../support/seeded-random.ts";
import { startWorld, until, type World } from "../support/world.ts";

const SEED = Number(process.env["TOLLGATE_TEST_SEED"] ?? 20261124);
const INPUT_PICO = 150_000n;
const OUTPUT_PICO = 600_000n;

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function begin(...options: Parameters<typeof startWorld>): Promise<World> {
  const world = await startWorld(...options);
  worlds.push(world);
  return world;
}

interface Body extends OpenAI.ChatCompletionCreateParamsNonStreaming { max_tokens: number }

function randomBody(random: Random): Body {
  const words = "x".repeat(1 + Math.floor(random() * 2_000));
  return { model: "gpt-4o-mini", max_tokens: 20 + Math.floor(random() * 12_000), messages: [{ role: "user", content: words }] };
}

type Outcome = "ok" | "cancelled" | "upstream_error" | "broken" | Refused;
interface Refused { readonly code: string; readonly limit: bigint; readonly spent: bigint; readonly held: bigint; readonly needed: bigint; readonly status: number; readonly retry: string | null; readonly after: string | null }

function nano(text: unknown): bigint {
  const [whole = "0", fraction = ""] = String(text).split(".");
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** What a failed call was, as a client sees it. */
function outcomeOf(error: unknown): Outcome {
  if (error instanceof OpenAI.APIUserAbortError) return "cancelled";
  if (!(error instanceof OpenAI.APIError)) throw error;
  const body = error.error as { tollgate_code?: string; details?: Record<string, unknown> } | undefined;
  const code = body?.tollgate_code;
  if (code === undefined) return "upstream_error";
  if (!code.startsWith("budget_")) return "broken";
  const details = body?.details ?? {};
  return {
    code, limit: nano(details["limit"]), spent: nano(details["spent"]), held: nano(details["held"]), needed: nano(details["needed"]),
    status: error.status as number, retry: error.headers?.get("x-should-retry") ?? null, after: error.headers?.get("retry-after") ?? null,
  };
}

/** GATE 3.1 said once more, from the request alone and the refusal's own numbers. */
function checkRefusal(refused: Refused, body: Body, stream: boolean): void {
  const { limit, spent, held, needed } = refused;
  const bound = BigInt(openaiChat.read(Buffer.from(JSON.stringify(stream ? { ...body, stream: true } : body))).inputBound);
  const hold = (cap: bigint): bigint => (bound * INPUT_PICO + cap * OUTPUT_PICO + 999n) / 1_000n;
  const declared = BigInt(body.max_tokens);
  const affordable = ((limit - spent) * 1_000n - bound * INPUT_PICO) / OUTPUT_PICO;
  const granted = affordable < declared ? affordable : declared;
  const floor = declared < 64n ? declared : 64n;
  if (refused.code === "budget_exceeded") {
    expect(spent + hold(floor)).toBeGreaterThan(limit);
    expect(needed).toBe(hold(floor));
    expect(refused).toMatchObject({ status: 422, retry: "false", after: null });
  } else {
    expect(granted).toBeGreaterThanOrEqual(floor);
    expect(needed).toBe(hold(granted));
    expect(spent + held + needed).toBeGreaterThan(limit);
    expect(refused).toMatchObject({ status: 429, retry: "true", after: "1" });
  }
}

async function settledBooks(world: World, key: string): Promise<{ spend: number; total: bigint }> {
  await until(async () => (await world.gateway.call("GET", "/health/readiness")).body["in_flight_requests"] === 0, "everything is settled");
  const info = await world.keyInfo(key);
  expect(info.tollgate.held).toBe(0);
  const audit = (await world.gateway.call("GET", "/v1/tollgate/audit")).body as { agree: boolean; totalNanoUsd: string; firstDifference: unknown };
  expect(audit).toMatchObject({ agree: true, firstDifference: null });
  return { spend: info.spend, total: BigInt(audit.totalNanoUsd) };
}

test("promise 1, GATE 3.1: of 1,000 parallel requests with random costs a $1.00 budget pays what fits and not a nano-dollar more", async () => {
  const world = await begin({ mock: { seed: SEED } });
  const random = seededRandom(SEED);
  world.mock.behave((_request, index) => ({ headDelayMs: (index * 7) % 40 }));
  const key = await world.key({ max_budget: 1 });
  const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const bodies = Array.from({ length: 1_000 }, () => randomBody(random));
  const outcomes = await Promise.all(bodies.map((body) => client.chat.completions.create(body).then((): Outcome => "ok", outcomeOf)));
  const refused = outcomes.flatMap((outcome, index) => (typeof outcome === "object" ? [{ outcome, body: bodies[index] as Body }] : []));
  expect(refused.length + outcomes.filter((outcome) => outcome === "ok").length).toBe(1_000);
  expect(refused.length).toBeGreaterThan(50);
  for (const { outcome, body } of refused) checkRefusal(outcome, body, false);
  const { total, spend } = await settledBooks(world, key);
  expect(total).toBeLessThanOrEqual(1_000_000_000n);
  expect(total).toBe(world.mock.bill().totalNanoUsd);
  expect(BigInt(Math.round(spend * 1e9))).toBe(total);
});

test("promise 1: the same with streams, clients that leave and providers that fail in every way", async () => {
  const world = await begin({ mock: { seed: SEED }, tollgate: "idle_timeout_ms: 1500" });
  const random = seededRandom(SEED + 1);
  const faults: readonly Behaviour[] = [
    { status: 500 }, { status: 429 }, { status: 400 }, { fault: "close_before_head" }, { fault: "close_mid_body" }, { fault: "no_done" },
    { fault: "error_event" }, { usage: "none" }, { lie: "negative" }, { fault: "never_answer" }, { fault: "hang_mid_body" },
  ];
  world.mock.behave((_request, index) => (index % 4 === 0 ? (faults[(index / 4) % faults.length] as Behaviour) : { headDelayMs: index % 30, chunkDelayMs: 2 }));
  const key = await world.key({ max_budget: 1 });
  const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const plans = Array.from({ length: 1_000 }, () => ({ body: randomBody(random), stream: random() < 0.5, leaveAfterMs: random() < 0.3 ? random() * 100 : undefined }));
  const outcomes = await Promise.all(plans.map(async ({ body, stream, leaveAfterMs }): Promise<Outcome> => {
    const abort = new AbortController();
    const timer = leaveAfterMs === undefined ? undefined : setTimeout(() => abort.abort(), leaveAfterMs);
    try {
      if (!stream) await client.chat.completions.create(body, { signal: abort.signal });
      else for await (const _ of await client.chat.completions.create({ ...body, stream: true }, { signal: abort.signal }));
      return abort.signal.aborted ? "cancelled" : "ok";
    } catch (error) {
      return abort.signal.aborted ? "cancelled" : outcomeOf(error);
    } finally {
      clearTimeout(timer);
    }
  }));
  const kinds = new Set(outcomes.map((outcome) => (typeof outcome === "object" ? outcome.code : outcome)));
  for (const kind of ["ok", "cancelled", "upstream_error", "broken", "budget_held"]) expect(kinds).toContain(kind);
  for (const [index, outcome] of outcomes.entries()) {
    const plan = plans[index] as (typeof plans)[number];
    if (typeof outcome === "object") checkRefusal(outcome, plan.body, plan.stream);
  }
  const { total } = await settledBooks(world, key);
  expect(total).toBeLessThanOrEqual(1_000_000_000n);
  // Where the answer was never seen whole, the hold is charged: never less than the provider's own bill.
  const bill = world.mock.bill().entries;
  const answered = bill.filter(({ status }) => status > 0);
  expect(total).toBeGreaterThanOrEqual(answered.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0n));
  // One entry for each attempt; where a reused connection died unanswered, the provider saw the same attempt twice (5.4).
  const { length } = await entriesOf(world, key);
  expect(length).toBeLessThanOrEqual(bill.length);
  expect(length).toBeGreaterThanOrEqual(answered.length);
});

test("6.1, promise 8: across a roll-over each window of 1,000 requests keeps its own budget, and what was admitted before is charged before", async () => {
  const world = await begin({ mock: { seed: SEED } });
  const random = seededRandom(SEED + 2);
  const boundary = Math.ceil(world.time.now() / 3_600_000) * 3_600_000 + 3_600_000;
  world.time.to(boundary - 60_000);
  world.mock.behave((_request, index) => ({ headDelayMs: world.time.now() < boundary ? 2_000 + (index % 300) : index % 100 }));
  const key = await world.key({ max_budget: 0.4, budget_duration: "1h" });
  const client = new OpenAI({ baseURL: `${world.gateway.url}/v1`, apiKey: key, maxRetries: 0 });
  const bodies = Array.from({ length: 1_000 }, () => randomBody(random));
  const send = (body: Body): Promise<Outcome> => client.chat.completions.create(body).then((): Outcome => "ok", outcomeOf);
  let refused = 0;
  const first = bodies.slice(0, 500).map(async (body) => {
    const outcome = await send(body);
    if (typeof outcome === "object") refused += 1;
    return outcome;
  });
  await until(() => world.mock.requests.length + refused === 500, "each of the first half is with the provider or refused");
  expect(world.mock.open()).toBeGreaterThan(50);
  world.time.advance(60_001);
  expect((await world.keyInfo(key)).spend).toBe(0);
  const second = bodies.slice(500).map(send);
  const outcomes = await Promise.all([...first, ...second]);
  for (const [index, outcome] of outcomes.entries()) if (typeof outcome === "object") checkRefusal(outcome, bodies[index] as Body, false);
  const { total, spend } = await settledBooks(world, key);
  const entries = await entriesOf(world, key);
  const sums = [0n, 0n];
  for (const { startTime, spend: cost } of entries) sums[Date.parse(startTime) < boundary ? 0 : 1]! += BigInt(Math.round(cost * 1e9));
  for (const sum of sums) {
    expect(sum).toBeGreaterThan(0n);
    expect(sum).toBeLessThanOrEqual(400_000_000n);
  }
  expect((sums[0] as bigint) + (sums[1] as bigint)).toBe(total);
  expect(BigInt(Math.round(spend * 1e9))).toBe(sums[1]);
  expect(total).toBe(world.mock.bill().totalNanoUsd);
});

async function entriesOf(world: World, key: string): Promise<{ startTime: string; spend: number }[]> {
  return (await world.gateway.call("GET", `/spend/logs?api_key=${key}`)).body as unknown as { startTime: string; spend: number }[];
}
