import { afterAll, beforeAll, expect, test } from "vitest";
import { startWorld, type World } from "../support/world.ts";

type Row = Record<string, any>;

let world: World;
beforeAll(async () => {
  world = await startWorld({ mock: { models: { bare: { status: 500 }, deep: { usageText: deepUsage(20_000) } } } });
});
afterAll(() => world.stop());

/** Believable counts, and beside them a nesting that no writer of JSON survives. */
function deepUsage(depth: number): string {
  return `{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"inner":${"[".repeat(depth)}${"]".repeat(depth)}}`;
}

const ask = (key: string, model = "gpt-4o-mini") =>
  world.gateway.call("POST", "/v1/chat/completions", { model, max_tokens: 20, messages: [{ role: "user", content: "Hi" }] }, key);
const logs = async (query = ""): Promise<Row[]> => (await world.gateway.call("GET", `/spend/logs${query}`)).body as unknown as Row[];

test("a request is found in /spend/logs by its call id, by the provider's response id, and by what its row says", async () => {
  const key = await world.key();
  const answered = await ask(key);
  const failed = await ask(key, "m/bare");
  for (const answer of [answered, failed]) {
    const callId = answer.headers.get("x-litellm-call-id") as string;
    const rows = await logs(`?request_id=${callId}`);
    expect(rows).toMatchObject([{ tollgate: { request_id: callId } }]);
    expect(await logs(`?request_id=${rows[0]?.["request_id"]}`)).toEqual(rows);
  }
  expect(await logs("?request_id=nobody")).toEqual([]);
});

test("a row of /spend/logs names its key as /key/generate did, so that rows can be summed by key", async () => {
  const { key, token, tollgate } = (await world.gateway.call("POST", "/key/generate", {})).body as { key: string; token: string; tollgate: { id: string } };
  await ask(key);
  expect(await logs(`?api_key=${token}`)).toMatchObject([{ api_key: token, tollgate: { key_id: tollgate.id } }]);
  await world.gateway.call("POST", "/key/delete", { keys: [key] });
  expect(await logs(`?api_key=${tollgate.id}`)).toMatchObject([{ api_key: tollgate.id }]);
});

test("/spend/logs leaves nothing out, however many rows there are: their sum is what the key spent", async () => {
  const key = await world.key();
  for (let sent = 0; sent < 2_150; sent += 50) await Promise.all(Array.from({ length: 50 }, () => ask(key)));
  const rows = await logs(`?api_key=${key}`);
  expect(rows).toHaveLength(2_150);
  expect(new Set(rows.map((row) => row["tollgate"].entry_id)).size).toBe(2_150);
  const sum = rows.reduce((total, row) => total + BigInt(Math.round(row["spend"] * 1e9)), 0n);
  expect(sum).toBe(BigInt(Math.round((await world.keyInfo(key)).spend * 1e9)));
}, 60_000);

test("a provider's usage that is nested without end is told as text, and the request is explained all the same", async () => {
  const answer = await ask(await world.key(), "m/deep");
  expect(answer.status).toBe(200);
  const details = await world.requestDetails(answer.headers.get("x-litellm-call-id") as string);
  expect(details.entries).toMatchObject([{ cost: "0.00000315", status: "ok" }]);
});
