import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Behaviour } from "../support/mock-provider.ts";
import { chat, startWorld, until, type RequestDetails, type World } from "../support/world.ts";

/*
 * Promise 6: whoever pays and however it ends, the ledger moves exactly once for each attempt, by the right amount, on
 * the right scopes and on no others. Read back only by what the gateway tells its users.
 */

const PATH = "/v1/chat/completions";
const SCOPES = ["global", "key", "team", "member", "user", "customer"] as const;
type ReadScope = (typeof SCOPES)[number];

interface Payer {
  /** Sends with this key, `undefined` for the master key. */
  readonly key: string | undefined;
  readonly model: string;
  readonly user?: string;
  readonly team?: string;
  readonly member?: string;
  readonly asUser?: string;
  readonly charged: readonly (ReadScope | "deployment")[];
}

let world: World;
/** Its global budget is spent before it begins. */
let spentWorld: World;
const payers = new Map<string, Payer>();

async function make(path: string, body: Record<string, unknown>): Promise<Record<string, unknown>> {
  const answer = await world.gateway.call("POST", path, body);
  if (answer.status !== 200) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const deployment = (name: string, url: string, more: string): string => `
  - model_name: ${name}
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: "${url}/v1"${more} }`;

beforeAll(async () => {
  world = await startWorld({
    yaml: "litellm_settings: { max_budget: 1000 }",
    models: (url) => deployment("own-budget", url, ", max_budget: 5") + deployment("no-budget", url, ", max_budget: 0") + deployment("no-rate", url, ", rpm: 0") + deployment("nobody-there", "http://127.0.0.1:1", ""),
  });
  spentWorld = await startWorld({ yaml: "litellm_settings: { max_budget: 0 }" });
  // Each kind of payer three times: solvent, without money, without rate.
  for (const [state, limit] of [["", { max_budget: 50, rpm_limit: 100_000 }], [":broke", { max_budget: 0 }], [":throttled", { rpm_limit: 0 }]] as const) {
    const id = (kind: string): string => `${kind}${state.replace(":", "-")}`;
    payers.set(`key${state}`, { key: await world.key(limit), model: "gpt-4o-mini", charged: ["global", "key"] });
    await make("/team/new", { team_id: id("team"), ...limit });
    payers.set(`team${state}`, { key: await world.key({ team_id: id("team") }), team: id("team"), model: "gpt-4o-mini", charged: ["global", "team", "key"] });
    await make("/user/new", { user_id: id("user"), ...limit });
    payers.set(`user${state}`, { key: await world.key({ user_id: id("user") }), asUser: id("user"), model: "gpt-4o-mini", charged: ["global", "key", "user"] });
    await make("/customer/new", { user_id: id("customer"), ...limit });
    payers.set(`customer${state}`, { key: await world.key({}), user: id("customer"), model: "gpt-4o-mini", charged: ["global", "key", "customer"] });
    if (state === ":throttled") continue;
    await make("/user/new", { user_id: id("colleague") });
    await make("/team/new", { team_id: id("club") });
    await make("/team/member_add", { team_id: id("club"), member: { role: "user", user_id: id("colleague") }, max_budget_in_team: limit.max_budget });
    payers.set(`member${state}`, { key: await world.key({ team_id: id("club"), user_id: id("colleague") }), team: id("club"), member: id("colleague"), asUser: id("colleague"), model: "gpt-4o-mini", charged: ["global", "team", "member", "key"] });
  }
  payers.set("master", { key: undefined, model: "gpt-4o-mini", charged: ["global"] });
  payers.set("global", { key: undefined, model: "gpt-4o-mini", charged: ["global"] });
  payers.set("deployment", { key: await world.key({}), model: "own-budget", charged: ["global", "key", "deployment"] });
  payers.set("deployment:broke", { key: await world.key({}), model: "no-budget", charged: [] });
  payers.set("deployment:throttled", { key: await world.key({}), model: "no-rate", charged: [] });
});
afterAll(async () => {
  await world.stop();
  await spentWorld.stop();
});

type Standings = Readonly<Record<ReadScope, bigint | undefined>>;
type Row = { spend: number; tollgate: { held: number } };

const nano = (dollars: number | undefined): bigint | undefined => (dollars === undefined ? undefined : BigInt(Math.round(dollars * 1e9)));

async function standings(payer: Payer): Promise<Standings> {
  const get = async (path: string): Promise<Record<string, never>> => (await world.gateway.call("GET", path)).body as Record<string, never>;
  const team = payer.team === undefined ? undefined : await get(`/team/info?team_id=${payer.team}`);
  const rows: Partial<Record<ReadScope, Row>> = {
    ...(payer.key === undefined ? {} : { key: (await get(`/key/info?key=${payer.key}`))["info"] as unknown as Row }),
    ...(team === undefined ? {} : { team: team["team_info"] as unknown as Row }),
    ...(payer.member === undefined ? {} : { member: (team?.["team_memberships"] as unknown as (Row & { user_id: string })[]).find(({ user_id }) => user_id === payer.member) as Row }),
    ...(payer.asUser === undefined ? {} : { user: (await get(`/user/info?user_id=${payer.asUser}`))["user_info"] as unknown as Row }),
    ...(payer.user === undefined ? {} : { customer: (await get(`/customer/info?end_user_id=${payer.user}`)) as unknown as Row }),
  };
  for (const row of Object.values(rows)) expect(row.tollgate.held).toBe(0);
  const global = nano((await get("/global/spend"))["spend"]);
  return { global, key: nano(rows.key?.spend), team: nano(rows.team?.spend), member: nano(rows.member?.spend), user: nano(rows.user?.spend), customer: nano(rows.customer?.spend) };
}

let cases = 0;

interface Sent { readonly status: number | "left"; readonly name: string; readonly code: string | undefined }

async function send(payer: Payer, stream: boolean, leave: boolean): Promise<Sent> {
  const name = `case-${(cases += 1)}`;
  const abort = new AbortController();
  const body = chat(payer.model, { stream, metadata: { name }, ...(payer.user === undefined ? {} : { user: payer.user }) });
  const before = world.mock.requests.length;
  const answer = fetch(`${world.gateway.url}${PATH}`, { method: "POST", headers: { authorization: `Bearer ${payer.key ?? world.gateway.master}` }, body: JSON.stringify(body), signal: abort.signal });
  if (leave) {
    if (stream) await (await answer).body?.getReader().read();
    else await until(() => world.mock.requests.length > before, "the request is with the provider");
    abort.abort();
    await answer.catch(() => undefined);
    return { status: "left", name, code: undefined };
  }
  const response = await answer;
  const text = await response.text();
  return { status: response.status, name, code: /"tollgate_code":"(\w+)"/.exec(text)?.[1] };
}

/** The ledger's rows of one case, through `/spend/logs`. */
async function logs(name: string): Promise<{ spend: number; tollgate: { request_id: string } }[]> {
  const rows = (await world.gateway.call("GET", "/spend/logs")).body as unknown as { spend: number; metadata: { name?: string }; tollgate: { request_id: string } }[];
  return rows.filter(({ metadata }) => metadata.name === name);
}

const lastBill = (): bigint => world.mock.bill().entries.at(-1)?.nanoUsd ?? -1n;

interface Outcome {
  readonly behaviour?: Behaviour;
  readonly leave?: boolean;
  readonly model?: string;
  readonly status: number | "left";
  readonly streamStatus?: number;
  readonly code?: string;
  readonly entry: { readonly status: string; readonly estimated: string | null };
  readonly cost: "bill" | "hold" | "nothing";
}

const CHARGED: Readonly<Record<string, Outcome>> = {
  "5.1 ok": { behaviour: {}, status: 200, entry: { status: "ok", estimated: null }, cost: "bill" },
  "5.5 client leaves": { behaviour: { headDelayMs: 60, chunkDelayMs: 10 }, leave: true, status: "left", entry: { status: "client_gone", estimated: null }, cost: "bill" },
  "5.2 upstream 4xx": { behaviour: { status: 429 }, status: 429, entry: { status: "upstream_error", estimated: null }, cost: "nothing" },
  "5.2 upstream 5xx": { behaviour: { status: 500 }, status: 500, entry: { status: "upstream_error", estimated: null }, cost: "nothing" },
  "5.2 connection refused": { model: "nobody-there", status: 502, code: "upstream_unreachable", entry: { status: "not_connected", estimated: null }, cost: "nothing" },
  "5.3 cut short": { behaviour: { fault: "close_mid_body" }, status: 502, streamStatus: 200, code: "upstream_failed", entry: { status: "cut_short", estimated: "cut_short" }, cost: "hold" },
  "5.3 usage missing": { behaviour: { usage: "none" }, status: 200, entry: { status: "ok", estimated: "usage_missing" }, cost: "hold" },
  "5.3 usage negative": { behaviour: { lie: "negative" }, status: 200, entry: { status: "ok", estimated: "usage_unbelievable" }, cost: "hold" },
};

const PAYERS = ["master", "key", "team", "member", "user", "customer", "deployment", "global"];

describe.each(["plain", "stream"])("promise 6: %s", (kind) => {
  const stream = kind === "stream";
  describe.each(PAYERS)("paid by %s", (who) => {
    test.each(Object.keys(CHARGED))("GATE %s: the ledger moves once, on these scopes and on no others", async (title) => {
      const outcome = CHARGED[title] as Outcome;
      const known = payers.get(who) as Payer;
      const payer = outcome.model === undefined ? known : { ...known, model: outcome.model, charged: known.charged.filter((scope) => scope !== "deployment") };
      const before = await standings(payer);
      if (outcome.behaviour !== undefined) world.mock.enqueue(outcome.behaviour);
      const sent = await send(payer, stream, outcome.leave === true);
      expect(sent).toMatchObject({ status: stream ? (outcome.streamStatus ?? outcome.status) : outcome.status, code: outcome.code });
      await until(async () => (await world.gateway.call("GET", "/health/readiness")).body["in_flight_requests"] === 0, "settled");

      const rows = await logs(sent.name);
      expect(rows).toHaveLength(1);
      const callId = rows[0]?.tollgate.request_id as string;
      const { entries, cost } = (await world.requestDetails(callId)) as RequestDetails;
      expect(entries).toHaveLength(1);
      const [entry] = entries;
      expect(entry).toMatchObject(outcome.entry);
      const paid = BigInt(Math.round(Number(cost) * 1e9));
      if (outcome.cost === "bill") expect(paid).toBe(lastBill());
      else if (outcome.cost === "hold") expect(entry?.cost).toBe(entry?.held);
      else expect(paid).toBe(0n);
      if (outcome.cost !== "nothing") expect(paid).toBeGreaterThan(0n);
      expect(nano(rows[0]?.spend)).toBe(paid);

      // Every attempt names its deployment, whether or not that has a budget.
      const named = new Set((entry?.scopes ?? "").split(",").map((scope) => scope.split(":")[0]));
      expect([...named].sort()).toEqual([...new Set([...payer.charged, "deployment"])].sort());
      const after = await standings(payer);
      for (const scope of SCOPES) {
        const moved = before[scope] === undefined ? undefined : (after[scope] as bigint) - before[scope];
        if (moved !== undefined) expect([scope, moved]).toEqual([scope, payer.charged.includes(scope) ? paid : 0n]);
      }
    });
  });

  test.each(["key", "team", "member", "user", "customer", "deployment"])("GATE 4.5: refused by the budget of the %s, nothing moves and nothing is sent", async (who) => {
    const payer = payers.get(`${who}:broke`) as Payer;
    await refusedWithoutTrace(payer, stream, 422, "budget_exceeded");
  });

  test.each(["key", "team", "user", "customer", "deployment"])("GATE 4.5: refused by the rate of the %s, nothing moves and nothing is sent", async (who) => {
    const payer = payers.get(`${who}:throttled`) as Payer;
    await refusedWithoutTrace(payer, stream, 429, "rate_limited");
  });

  test("GATE 1.5: the master key is gated like any other", async () => {
    const answer = await spentWorld.gateway.call("POST", PATH, chat("gpt-4o-mini", { stream }));
    expect(answer.status).toBe(422);
    expect(answer.body["error"]).toMatchObject({ tollgate_code: "budget_exceeded", details: { scope: "global" } });
    expect(spentWorld.mock.requests).toHaveLength(0);
    expect((await spentWorld.gateway.call("GET", "/spend/logs")).body).toEqual([]);
  });
});

async function refusedWithoutTrace(payer: Payer, stream: boolean, status: number, code: string): Promise<void> {
  const requests = world.mock.requests.length;
  const before = await standings(payer);
  const sent = await send(payer, stream, false);
  expect(sent).toMatchObject({ status, code });
  expect(await logs(sent.name)).toEqual([]);
  expect(await standings(payer)).toEqual(before);
  expect(world.mock.requests.length).toBe(requests);
}

test("in the end ledger, balances and roll-ups agree", async () => {
  expect((await world.gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
});
