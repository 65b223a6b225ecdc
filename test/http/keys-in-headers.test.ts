import { afterAll, beforeAll, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { chat, startWorld, type World } from "../support/world.ts";

let world: World;
let key: string;
beforeAll(async () => {
  world = await startWorld();
  key = await world.key();
});
afterAll(() => world.stop());

async function statusWith(path: string, headers: readonly string[]): Promise<number> {
  const body = JSON.stringify(chat());
  const client = new RawClient(world.gateway.url);
  const [method, more] = path.startsWith("/v1/chat") ? ["POST", [`content-length: ${body.length}`]] : ["GET", []];
  client.send([`${method} ${path} HTTP/1.1`, "host: gate", "connection: close", ...headers, ...more, "", method === "POST" ? body : ""].join("\r\n"));
  await client.end();
  return client.statuses()[0] as number;
}

const ACCEPTED: readonly [string, (key: string) => readonly string[]][] = [
  ["Bearer", (sent) => [`authorization: Bearer ${sent}`]],
  ["bearer in any case", (sent) => [`authorization: bearer ${sent}`]],
  ["BEARER and odd spaces", (sent) => [`authorization:  BEARER \t ${sent}  `]],
  ["no scheme", (sent) => [`authorization: ${sent}`]],
  ["x-api-key", (sent) => [`x-api-key: ${sent}`]],
  ["api-key", (sent) => [`api-key: ${sent}`]],
  ["x-goog-api-key", (sent) => [`x-goog-api-key: ${sent}`]],
  ["ocp-apim-subscription-key", (sent) => [`ocp-apim-subscription-key: ${sent}`]],
  ["x-litellm-api-key with a scheme", (sent) => [`x-litellm-api-key: Bearer ${sent}`]],
  ["an empty authorization beside x-api-key", (sent) => ["authorization: Bearer ", `x-api-key: ${sent}`]],
];

test.each(ACCEPTED)("a key is read from: %s", async (_name, headers) => {
  expect(await statusWith("/v1/chat/completions", headers(key))).toBe(200);
  expect(await statusWith("/key/info", headers(key))).toBe(200);
});

test.each([["nothing", []], ["a scheme alone", ["authorization: Bearer"]], ["another scheme", ["authorization: Basic dTpw"]]] as const)("no key is read from: %s", async (_name, headers) => {
  expect(await statusWith("/v1/chat/completions", headers)).toBe(401);
  expect(await statusWith("/key/info", headers)).toBe(401);
});
