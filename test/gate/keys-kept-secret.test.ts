import { createHash } from "node:crypto";
import * as crypto from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { sameHash } from "../../src/surfaces/gateway/data-plane.ts";
import { chat, startWorld, until, type World } from "../support/world.ts";

vi.mock("node:crypto", { spy: true });

const PATH = "/v1/chat/completions";
let world: World;
beforeAll(async () => { world = await startWorld(); });
afterAll(() => world.stop());

test("GATE 10.4: a key is kept as its SHA-256, and as nothing else in any file of the data folder", async () => {
  const key = await world.key({ key_alias: "kept" });
  await world.gateway.call("POST", PATH, chat(), key);
  await world.gateway.call("GET", "/spend/logs");
  const { token } = (await world.gateway.call("GET", `/key/info?key=${key}`)).body["info"] as { token: string };
  expect(token).toBe(createHash("sha256").update(key).digest("hex"));
  const files = readdirSync(world.gateway.folder, { recursive: true, encoding: "utf8" }).map((name) => join(world.gateway.folder, name)).filter((path) => statSync(path).isFile());
  const holding = (text: string): string[] => files.filter((path) => readFileSync(path).includes(text));
  expect(holding(token).length).toBeGreaterThan(0);
  expect(holding(key)).toEqual([]);
});

test("GATE 10.4: hashes of keys are compared in constant time", () => {
  const compare = vi.mocked(crypto.timingSafeEqual);
  compare.mockClear();
  expect([sameHash("ab12", "ab12"), sameHash("ab12", "ab13"), sameHash("ab12", "ab1")]).toEqual([true, false, false]);
  expect(compare).toHaveBeenCalledTimes(2);
});

test("GATE 1.6: delete and block stop new requests; what is in flight settles to the old id, and a key made again under its text starts at zero", async () => {
  const key = "sk-made-again-0123456789abcdef";
  await world.gateway.call("POST", "/key/generate", { key, max_budget: 1 });
  const old = (await world.keyInfo(key)).tollgate.id;
  world.mock.enqueue({ headDelayMs: 300, promptTokens: 100, completionTokens: 100 }, { promptTokens: 10, completionTokens: 10 });
  const inFlight = world.gateway.call("POST", PATH, chat(), key);
  await until(() => world.mock.open() === 1, "with the provider");
  await world.gateway.call("POST", "/key/block", { key });
  expect((await world.gateway.call("POST", PATH, chat(), key)).body["error"]).toMatchObject({ tollgate_code: "key_blocked" });
  await world.gateway.call("POST", "/key/delete", { keys: [key] });
  expect((await world.gateway.call("POST", PATH, chat(), key)).body["error"]).toMatchObject({ tollgate_code: "invalid_key" });
  await world.gateway.call("POST", "/key/generate", { key, max_budget: 1 });
  const settled = await inFlight;
  expect([settled.status, settled.headers.get("x-litellm-response-cost")]).toEqual([200, "0.000075"]);
  const [entry] = (await world.requestDetails(settled.headers.get("x-litellm-call-id") as string)).entries;
  expect(entry?.scopes.split(",")).toContain(`key:${old}`);
  const again = await world.keyInfo(key);
  expect(again).toMatchObject({ spend: 0, tollgate: { held: 0, lifetime_spend: 0 } });
  expect(again.tollgate.id).not.toBe(old);
  expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true });
});
