import { afterAll, beforeAll, expect, test } from "vitest";
import { createTollgate } from "../../src/index.ts";
import { chat, startWorld, type World } from "../support/world.ts";

let world: World;
let key: string;
beforeAll(async () => {
  world = await startWorld({ yaml: "litellm_settings: { max_end_user_budget: 1 }" });
  key = await world.key();
});
afterAll(() => world.stop());

const HALF = "\ud800";
const ask = (body: object) => world.gateway.call("POST", "/v1/chat/completions", body, key);

test.each<[string, object]>([
  ["model", chat(`m/${HALF}`)],
  ["user", chat("gpt-4o-mini", { user: HALF })],
  ["tags", chat("gpt-4o-mini", { tags: [HALF] })],
  ["metadata.tags", chat("gpt-4o-mini", { metadata: { tags: [`x${HALF}`] } })],
])("a name with half a surrogate pair is refused, since it would be stored as another one: %s", async (param, body) => {
  expect(await ask(body)).toMatchObject({ status: 400, body: { error: { tollgate_code: "invalid_request", param } } });
});

test("so are tags of a key, and users and tags of a program", async () => {
  expect((await world.gateway.call("POST", "/key/generate", { tags: [HALF] })).status).toBe(400);
  await using tollgate = createTollgate({ budgets: [{ user: "*", maxBudget: 1 }] });
  for (const payer of [{ user: HALF }, { tags: [HALF] }]) {
    await expect(tollgate.completion({ model: "openai/gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], mockResponse: "Hi", ...payer })).rejects.toMatchObject({ code: "invalid_request" });
  }
});

test("promise 5: every other name keeps its books apart, in customers, tags and reports, and the audit agrees", async () => {
  const names = ["a,b", "key:x", "global", "a\u0000b", "a", "a\u0000c", "\u0000", "a\nb", "__proto__", "é", "e\u0301", " a", "%2C", "'; --", "\\", "\"", "🙂", "~tag:a", "\u2028"];
  for (const name of names) expect((await ask(chat("gpt-4o-mini", { user: name, tags: [name] }))).status, JSON.stringify(name)).toBe(200);
  expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
  for (const by of ["user", "tag"]) {
    const { rows } = (await world.gateway.call("GET", `/v1/tollgate/costs?days=1&by=${by}`)).body as { rows: { group: string | null; requests: number }[] };
    const named = rows.filter(({ group }) => group !== null);
    expect(new Map(named.map(({ group, requests }) => [group, requests])), by).toEqual(new Map(names.map((name) => [name, 1])));
  }
});
