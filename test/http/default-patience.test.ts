import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { chat, startWorld, until, type World } from "../support/world.ts";

const PATH = "/v1/chat/completions";
let world: World;
beforeEach(async () => { world = await startWorld(); });
afterEach(() => world.stop());

const inFlight = async (): Promise<unknown> => (await world.gateway.call("GET", "/health/readiness")).body["in_flight_requests"];
/** Deadlines are looked at once a second, of the machine's time. */
const twoTicks = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_100));

test("GATE 5.5: with nothing configured the provider of a client that left is read on for 30 s, then cancelled and its hold charged", async () => {
  const key = await world.key({ max_budget: 1 });
  world.mock.enqueue({ fault: "hang_mid_body" });
  const client = new RawClient(world.gateway.url);
  client.send(rawPost(PATH, key, JSON.stringify(chat("gpt-4o-mini", { stream: true }))));
  await client.until((text) => text.includes("data: "));
  client.destroy();
  await twoTicks();
  world.time.advance(22_000);
  await twoTicks();
  expect([await inFlight(), world.mock.open()]).toEqual([1, 1]);
  world.time.advance(9_000);
  await until(async () => (await inFlight()) === 0, "given up");
  expect(world.mock.open()).toBe(0);
  const [row] = (await world.gateway.call("GET", `/spend/logs?api_key=${key}`)).body as unknown as [{ spend: number; tollgate: object }];
  expect(row.tollgate).toMatchObject({ status: "client_gone", estimated: "client_gone", held: String(row.spend) });
});

test("GATE 7.4: with nothing configured a request has 600 s, then it is ended with 504 and its hold charged", async () => {
  world.mock.enqueue({ fault: "never_answer" });
  const answer = world.gateway.call("POST", PATH, chat());
  await until(() => world.mock.open() === 1, "with the provider");
  world.time.advance(590_000);
  await twoTicks();
  expect(await inFlight()).toBe(1);
  world.time.advance(11_000);
  const { status, body, headers } = await answer;
  expect([status, body["error"]]).toEqual([504, expect.objectContaining({ tollgate_code: "upstream_timeout" })]);
  expect(headers.get("x-litellm-response-cost")).toBe(headers.get("x-tollgate-held"));
});
