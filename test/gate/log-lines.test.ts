import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";
import { startCli } from "../support/run-cli.ts";
import { chat } from "../support/world.ts";

const MASTER = "sk-log-lines-master-9f8e7d6c5b4a";
const PROVIDER_KEY = "sk-log-lines-provider-1a2b3c4d5e";
const PROMPT = "a sentence that nobody else should read";

/** What the gateway did, as its log tells it: a gateway of its own, some traffic, and every line it wrote. */
let lines: Record<string, unknown>[];
let text: string;
let virtualKey: string;
let mock: MockProvider;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-log-"));
  mock = await startMockProvider();
  const config = join(folder, "tollgate.yaml");
  writeFileSync(config, `model_list:\n  - model_name: gpt-4o-mini\n    litellm_params: { model: openai/gpt-4o-mini, api_key: ${PROVIDER_KEY}, api_base: "${mock.url}/v1" }\ntollgate: { log_level: debug }\n`);
  const gateway = await startCli(join(folder, "data"), { argv: ["--config", config], env: { TOLLGATE_MASTER_KEY: MASTER } });
  const call = async (path: string, body: unknown, key: string): Promise<Record<string, unknown>> => (await (await fetch(`${gateway.url}${path}`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(body) })).json()) as Record<string, unknown>;
  const soft = (await call("/key/generate", { soft_budget: 0.00001, key_alias: "soft" }, MASTER))["key"] as string;
  mock.enqueue(...Array.from({ length: 3 }, () => ({ promptTokens: 10, completionTokens: 50 })));
  const message = { messages: [{ role: "user", content: PROMPT }] };
  for (let index = 0; index < 3; index += 1) await call("/v1/chat/completions", chat("gpt-4o-mini", message), soft);
  virtualKey = (await call("/key/generate", { max_budget: 0, key_alias: "spent" }, MASTER))["key"] as string;
  for (let index = 0; index < 2; index += 1) await call("/v1/chat/completions", chat("gpt-4o-mini", message), virtualKey);
  mock.enqueue({ status: 401 }, { fault: "close_before_head" }, { fault: "close_before_head" });
  for (let index = 0; index < 2; index += 1) await call("/v1/chat/completions", chat("gpt-4o-mini", message), soft);
  await call("/v1/chat/completions", chat("gpt-4o-mini", message), "sk-nobody-has-this-key-0123456789");
  text = (await gateway.stop()).stderr;
  lines = text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Record<string, unknown>);
  rmSync(folder, { recursive: true, force: true });
}, 30_000);
afterAll(() => mock.close());

test("GATE 4.7: a crossed soft budget is one log line for its window, whatever comes after", () => {
  expect(lines.filter(({ msg }) => msg === "soft budget crossed")).toEqual([expect.objectContaining({ scope: "key", window: null, until: null })]);
});

test("GATE 4.5: each refusal is a log line with the call's id and the limit that spoke", () => {
  const refused = lines.filter(({ msg }) => msg === "refused");
  expect(refused).toHaveLength(2);
  for (const line of refused) expect(line).toMatchObject({ call_id: expect.stringMatching(/^[0-9A-Z]{26}$/), outcome: "budget_exceeded", scope: "key" });
});

test("GATE 10.4: no key and no text of a request reaches the log, at its most talkative level", () => {
  expect(lines.length).toBeGreaterThan(3);
  for (const secret of [MASTER, PROVIDER_KEY, virtualKey, "sk-nobody-has-this-key", PROMPT, "sk-"]) expect(text).not.toContain(secret);
});
