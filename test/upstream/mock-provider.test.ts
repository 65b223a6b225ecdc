import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { createUndiciUpstream } from "../../src/adapters/upstream/undici/undici-upstream.ts";
import { MODEL_BEHAVIOURS, startMockProvider, type MockProvider, type MockProviderOptions } from "../support/mock-provider.ts";
import { startMockProviderProcess } from "../support/mock-provider-process.ts";
import { post } from "./recorder.ts";

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start(options: MockProviderOptions = {}, idleTimeoutMs = 300): Promise<{ provider: MockProvider; ask: (body: object) => ReturnType<typeof post> }> {
  const provider = await startMockProvider(options);
  const upstream = createUndiciUpstream({ idleTimeoutMs });
  cleanUps.push(() => provider.close(), () => upstream.destroy());
  return { provider, ask: (body) => post(upstream, provider.url, JSON.stringify({ model: "mock", messages: [], ...body })) };
}

const STREAM = { stream: true, stream_options: { include_usage: true } };

describe("the mock provider's bill", () => {
  test("agrees with the usage it reported, plain and streamed", async () => {
    const { provider, ask } = await start({ seed: 3, prices: { inputPico: 2_500_000n, outputPico: 10_000_000n } });
    const plain = JSON.parse((await ask({ max_tokens: 50 }).done).body) as { usage: { prompt_tokens: number; completion_tokens: number } };
    const streamed = (await ask({ max_tokens: 50, ...STREAM }).done).body.split("\n\n");
    const last = JSON.parse((streamed.at(-3) as string).slice("data: ".length)) as typeof plain & { choices: unknown[] };
    expect(streamed.at(-2)).toBe("data: [DONE]");
    expect(last.choices).toEqual([]);
    const cost = ({ usage }: typeof plain): bigint => (BigInt(usage.prompt_tokens) * 2_500_000n + BigInt(usage.completion_tokens) * 10_000_000n) / 1_000n;
    expect(provider.bill().totalNanoUsd).toBe(cost(plain) + cost(last));
    expect(provider.bill().entries.every((entry) => entry.sentFully)).toBe(true);
  });

  test("is the same for the same seed, and never above the cap", async () => {
    const totals: bigint[] = [];
    for (let run = 0; run < 2; run += 1) {
      const { provider, ask } = await start({ seed: 9 });
      for (let index = 0; index < 20; index += 1) await ask({ max_tokens: 30 }).done;
      expect(provider.bill().entries.every((entry) => entry.completionTokens >= 1 && entry.completionTokens <= 30)).toBe(true);
      totals.push(provider.bill().totalNanoUsd);
    }
    expect(totals[0]).toBe(totals[1]);
  });

  test("is zero for an error status, and whole for a connection closed without an answer", async () => {
    const { provider, ask } = await start();
    provider.enqueue({ status: 500 }, { fault: "close_before_head" });
    expect(await ask({}).done).toMatchObject({ outcome: "end", status: 500 });
    // The connection was used before, so the adapter asks once more: two requests reach the provider.
    expect(await ask({}).done).toMatchObject({ outcome: "end", status: 200 });
    const [refused, unseen] = provider.bill().entries;
    expect(refused).toMatchObject({ nanoUsd: 0n, status: 500, sentFully: true });
    expect(unseen).toMatchObject({ status: 0, sentFully: false });
    expect(unseen?.nanoUsd).toBeGreaterThan(0n);
  });
});

describe("each way to misbehave does what it says", () => {
  test.each([
    ["close-before-head", { outcome: "sent" }],
    ["never-answer", { outcome: "sent", timedOut: true }],
    ["close-mid-body", { outcome: "body", timedOut: false }],
    ["hang-mid-body", { outcome: "body", timedOut: true }],
    ["status-529", { outcome: "end", status: 529 }],
    ["redirect", { outcome: "end", status: 302 }],
  ] as const)("%s", async (model, expected) => {
    for (const more of [{}, STREAM]) {
      const { ask } = await start();
      expect(await ask({ model: `mock/${model}`, ...more }).done).toMatchObject(expected);
    }
  });

  test("chopped and trickled answers are whole", async () => {
    const { provider, ask } = await start({ seed: 5, standard: { completionTokens: 40 } });
    const whole = await ask(STREAM).done;
    for (const behaviour of [{ chop: true }, { trickle: true, completionTokens: 2, chunks: 1 }]) {
      provider.enqueue({ completionTokens: 40, ...behaviour });
      const pieces = ask(STREAM);
      const { body, outcome } = await pieces.done;
      expect(outcome).toBe("end");
      expect(body).toContain("data: [DONE]");
      expect(pieces.chunks.length).toBeGreaterThan(5);
      if (behaviour.completionTokens === undefined) expect(body.replaceAll("mock-1", "mock-0")).toBe(whole.body);
    }
  });

  test("no-done and error-event end a stream without [DONE]", async () => {
    const { ask } = await start();
    for (const model of ["no-done", "error-event"]) {
      const { outcome, body } = await ask({ model, ...STREAM }).done;
      expect(outcome).toBe("end");
      expect(body).not.toContain("[DONE]");
    }
  });

  test("usage can be nowhere, beside choices, growing, or a lie", async () => {
    const { ask } = await start();
    expect((await ask({ model: "usage-none" }).done).body).not.toContain('"usage"');
    expect((await ask({ model: "usage-with-choices", stream: true }).done).body.match(/"prompt_tokens"/g)).toHaveLength(1);
    expect((await ask({ model: "usage-cumulative", stream: true }).done).body.match(/"prompt_tokens"/g)?.length).toBeGreaterThan(3);
    expect((await ask({ model: "usage-negative" }).done).body).toMatch(/"completion_tokens":-\d/);
    expect((await ask({ model: "usage-fractional" }).done).body).toMatch(/"completion_tokens":\d+\.5/);
  });

  test("compresses unasked, refuses all but identity, sets cookies, names another model", async () => {
    const { ask } = await start();
    const zipped = ask({ model: "gzip" });
    await zipped.done;
    expect(gunzipSync(Buffer.concat(zipped.chunks)).toString()).toContain("chat.completion");
    expect(await ask({ model: "identity-only" }).done).toMatchObject({ status: 406 });
    expect((await ask({ model: "set-cookie" }).done).headers["set-cookie"]).toEqual(["session=secret; Path=/", "other=1"]);
    expect((await ask({ model: "other-model" }).done).body).toContain('"model":"another-model"');
  });

  test("every name is a behaviour that answers or fails in time", async () => {
    const { ask, provider } = await start();
    const names = Object.keys(MODEL_BEHAVIOURS).filter((name) => name !== "huge");
    await Promise.all(names.map((model) => ask({ model, max_tokens: 3 }).done));
    expect(provider.bill().entries).toHaveLength(names.length);
  });
});

test("1,000 at once are served", async () => {
  const { provider, ask } = await start({ log: false, standard: { completionTokens: 5 } }, 30_000);
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => ask(index % 2 === 0 ? {} : STREAM).done));
  expect(answers.every((answer) => answer.outcome === "end")).toBe(true);
  expect(provider.bill().entries).toHaveLength(1_000);
});

test("in a process of its own it tells its bill over HTTP", async () => {
  const provider = await startMockProviderProcess({ seed: 2, prices: { inputPico: "1000", outputPico: "2000" } });
  const upstream = createUndiciUpstream();
  cleanUps.push(() => provider.close(), () => upstream.destroy());
  await post(upstream, provider.url, '{"model":"mock","max_tokens":4,"user":"u1"}').done;
  const { entries, totalNanoUsd } = await provider.bill();
  expect(entries).toMatchObject([{ user: "u1", status: 200, sentFully: true }]);
  expect(totalNanoUsd).toBe(String((entries[0]?.promptTokens ?? 0) + 2 * (entries[0]?.completionTokens ?? 0)));
});

test("behave decides about each request by its index; cached input has its own price", async () => {
  const { provider, ask } = await start();
  provider.behave((_request, index) => (index === 0 ? { status: 503 } : { promptTokens: 1_000, cachedTokens: 200, completionTokens: 10 }));
  expect(await ask({}).done).toMatchObject({ status: 503 });
  expect(await ask({}).done).toMatchObject({ status: 200 });
  expect(provider.bill().totalNanoUsd).toBe(800n * 150n + 200n * 75n + 10n * 600n);
});
