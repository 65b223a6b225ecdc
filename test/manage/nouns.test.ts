import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";

let mock: MockProvider;
let gateway: Awaited<ReturnType<typeof testGateway>>;
let count = 0;

beforeAll(async () => {
  mock = await startMockProvider({ standard: { completionTokens: "cap", promptTokens: 1 } });
  gateway = await testGateway(`
litellm_settings: { max_budget: 1000 }
model_list:
  - { model_name: m, litellm_params: { model: openai/gpt-4o-mini, api_key: sk-upstream, api_base: ${mock.url}/v1 } }
tollgate: { log_level: silent }
`);
});
afterAll(async () => {
  await gateway.stop();
  await mock.close();
});

type Json = Record<string, any>;
const post = async (path: string, body: unknown): Promise<{ status: number; json: Json }> => {
  const { status, body: json } = await gateway.call("POST", path, body);
  return { status, json };
};
const look = async (path: string): Promise<{ status: number; json: Json }> => {
  const { status, body: json } = await gateway.call("GET", path);
  return { status, json };
};
const done = async (path: string, body: unknown): Promise<Json> => {
  const { status, json } = await post(path, body);
  expect({ status, json }).toMatchObject({ status: 200 });
  return json;
};
const name = (kind: string): string => `${kind}-${++count}`;
const ask = async (key: string, more: object = {}): Promise<{ status: number; body: Json }> => gateway.call("POST", "/v1/chat/completions", { model: "m", max_tokens: 100, messages: [{ role: "user", content: "Hi" }], ...more }, key);

/** How each noun is made with a budget, changed, and used by a request. */
const NOUNS = [
  { kind: "key", make: async (budget: object) => { const { key } = await done("/key/generate", budget); return { update: { key }, key, request: {} }; } },
  { kind: "user", make: async (budget: object) => { const user_id = name("user"); const { key } = await done("/user/new", { user_id, ...budget }); return { update: { user_id }, key, request: {} }; } },
  { kind: "team", make: async (budget: object) => { const team_id = name("team"); await done("/team/new", { team_id, ...budget }); const { key } = await done("/key/generate", { team_id }); return { update: { team_id }, key, request: {} }; } },
  { kind: "customer", make: async (budget: object) => { const user_id = name("customer"); await done("/customer/new", { user_id, ...budget }); const { key } = await done("/key/generate", {}); return { update: { user_id }, key, request: { user: user_id } }; } },
];

describe.each(NOUNS)("GATE 6.3: the budget of a $kind", ({ kind, make }) => {
  test("lowered below what is spent refuses at once, raised admits at once, null takes it away", async () => {
    const { update, key, request } = await make({ max_budget: 1 });
    expect((await ask(key, request)).status).toBe(200);
    await done(`/${kind}/update`, { ...update, max_budget: "0.00000001" });
    expect((await ask(key, request)).body["error"]).toMatchObject({ type: "budget_exceeded" });
    await done(`/${kind}/update`, { ...update, max_budget: 1 });
    expect((await ask(key, request)).status).toBe(200);
    await done(`/${kind}/update`, { ...update, max_budget: 0 });
    expect((await ask(key, request)).status).toBe(422);
    await done(`/${kind}/update`, { ...update, max_budget: null });
    expect((await ask(key, request)).status).toBe(200);
  });

  test("a window that is added later counts what was spent in it before", async () => {
    const { update, key, request } = await make({});
    expect((await ask(key, request)).status).toBe(200);
    const row = await done(`/${kind}/update`, { ...update, max_budget: 1, budget_duration: "30d" });
    const { spend, budget_reset_at: resets } = row["data"] ?? row;
    expect(spend).toBeGreaterThan(0);
    expect(Date.parse(resets)).toBeGreaterThan(Date.now());
    expect(new Date(resets).getUTCDate()).toBe(1);
  });

  test.each([
    [{ max_budget: -1 }, "invalid_amount"], [{ max_budget: "1e-7 " }, undefined], [{ max_budget: 1e-7 }, undefined], [{ max_budget: "NaN" }, "invalid_amount"], [{ max_budget: "Infinity" }, "invalid_amount"],
    [{ max_budget: "1".padEnd(31, "0") }, "invalid_amount"], [{ max_budget: 1e30 }, "invalid_amount"], [{ max_budget: "1,5" }, "invalid_amount"], [{ max_budget: "0x10" }, "invalid_amount"], [{ max_budget: [] }, "invalid_amount"], [{ max_budget: true }, "invalid_amount"],
    [{ budget_duration: "0d" }, "invalid_duration"], [{ budget_duration: "-1h" }, "invalid_duration"], [{ budget_duration: "1e9d" }, "invalid_duration"], [{ budget_duration: "99999999999d" }, "invalid_duration"], [{ budget_duration: 30 }, "invalid_request"],
    [{ rpm_limit: "5" }, "invalid_request"], [{ rpm_limit: -1 }, "invalid_request"], [{ tpm_limit: 1.5 }, "invalid_request"], [{ tpm_limit: 1e30 }, "invalid_request"], [{ blocked: "yes" }, "invalid_request"],
    [{ max_budgett: 1 }, "unknown_field"], [{ organization_id: "o" }, "unsupported_field"], [{ metadata: { text: "x".repeat(20_000) } }, "invalid_request"],
  ])("%j: %s", async (change, code) => {
    const { update, key, request } = await make({ max_budget: 1 });
    const { status, json } = await post(`/${kind}/update`, { ...update, ...change });
    if (code === undefined) expect(status).toBe(200);
    else {
      expect(json["error"]).toMatchObject({ tollgate_code: code, code: String(status) });
      expect(status).toBe(400);
      // Nothing of it was taken.
      expect((await ask(key, request)).status).toBe(200);
    }
  });

  test("hundred updates at once all count, and the last stands", async () => {
    const { update } = await make({ max_budget: 1 });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => post(`/${kind}/update`, { ...update, ...(index % 2 === 0 ? { rpm_limit: index } : { tpm_limit: index }) })));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    const last = await done(`/${kind}/update`, update);
    expect(last["data"] ?? last).toMatchObject({ rpm_limit: 98, tpm_limit: 99, max_budget: 1 });
  });
});

describe("keys", () => {
  test("a new secret keeps the spend and ends the old secret at once", async () => {
    const made = await done("/key/generate", { max_budget: 1, key_alias: name("alias") });
    await ask(made["key"]);
    const renewed = await done("/key/regenerate", { key: made["key"], max_budget: 2 });
    expect(renewed["key"]).not.toBe(made["key"]);
    expect(renewed).toMatchObject({ key_alias: made["key_alias"], max_budget: 2, tollgate: { id: made["tollgate"].id } });
    expect(renewed["spend"]).toBeGreaterThan(0);
    expect((await ask(made["key"])).status).toBe(401);
    expect((await ask(renewed["key"])).status).toBe(200);
    const chosen = await done(`/key/${renewed["token"]}/regenerate`, { new_key: `sk-${name("chosen-by-the-client")}` });
    expect((await ask(chosen["key"])).status).toBe(200);
    expect((await ask(renewed["key"])).status).toBe(401);
    expect((await post("/key/regenerate", { key: chosen["key"], new_key: "short" })).status).toBe(400);
    expect((await post("/key/regenerate", { key: chosen["key"], new_key: chosen["key"] })).json["error"].tollgate_code).toBe("already_exists");
    expect((await post("/key/regenerate", { key: chosen["key"], grace_period: "24h" })).json["error"].tollgate_code).toBe("unsupported_field");
  });

  test("an alias that another key has is refused, its own is not", async () => {
    const alias = name("alias");
    const one = await done("/key/generate", { key_alias: alias });
    const two = await done("/key/generate", {});
    expect((await post("/key/update", { key: two["key"], key_alias: alias })).json["error"].tollgate_code).toBe("already_exists");
    await done("/key/update", { key: one["key"], key_alias: alias });
  });
});

test("10.5 a type of key that would promise more or less than calling models is not accepted", async () => {
  expect((await post("/key/generate", { key_type: "llm_api" })).status).toBe(200);
  for (const key_type of ["read_only", "management"]) expect((await post("/key/generate", { key_type })).json["error"].tollgate_code).toBe("unsupported_field");
  expect((await post("/customer/new", { user_id: name("customer"), allowed_model_region: "eu" })).json["error"].tollgate_code).toBe("unsupported_field");
});

describe("users", () => {
  test("are listed in pages, blocked with their keys, and deleted with them", async () => {
    const user_id = name("user");
    const { key } = await done("/user/new", { user_id, user_alias: "Ünal" });
    expect((await look(`/user/list?user_ids=${user_id}`)).json).toMatchObject({ total: 1, page: 1, page_size: 25, total_pages: 1, users: [{ user_id, user_alias: "Ünal", key_count: 1 }] });
    await done("/user/update", { user_id, blocked: true });
    expect((await ask(key)).body["error"]).toMatchObject({ tollgate_code: "key_blocked" });
    await done("/user/update", { user_id, blocked: false });
    expect((await ask(key)).status).toBe(200);
    expect((await gateway.call("POST", "/user/delete", { user_ids: [user_id] })).body).toBe(1);
    expect((await ask(key)).status).toBe(401);
    expect((await look(`/user/info?user_id=${user_id}`)).status).toBe(404);
  });

  test("one that does not exist lets none be deleted", async () => {
    const user_id = name("user");
    await done("/user/new", { user_id });
    expect((await post("/user/delete", { user_ids: [user_id, "nobody"] })).status).toBe(404);
    expect((await look(`/user/info?user_id=${user_id}`)).status).toBe(200);
    expect((await post("/user/delete", { user_ids: [] })).status).toBe(400);
    expect((await post("/user/update", { user_id: "nobody", max_budget: 1 })).status).toBe(404);
  });
});

describe("teams", () => {
  test("are blocked with their keys, and deleted with keys and members", async () => {
    const team_id = name("team");
    const user_id = name("user");
    await done("/team/new", { team_id, team_alias: team_id });
    await done("/team/member_add", { team_id, member: { user_id, role: "user" }, max_budget_in_team: 1 });
    const { key } = await done("/key/generate", { team_id, user_id });
    await done("/team/block", { team_id });
    expect((await ask(key)).body["error"]).toMatchObject({ tollgate_code: "key_blocked" });
    await done("/team/unblock", { team_id });
    expect((await ask(key)).status).toBe(200);
    expect((await look(`/team/list?user_id=${user_id}`)).json).toMatchObject([{ team_id, members_with_roles: [{ user_id, role: "user" }], team_memberships: [{ max_budget_in_team: 1 }], keys: [{ team_id }] }]);
    expect((await look(`/v2/team/list?team_alias=${team_id}`)).json).toMatchObject({ total: 1, teams: [{ team_id }] });
    expect(await done("/team/delete", { team_ids: [team_id] })).toEqual({ deleted_teams: [team_id] });
    expect((await ask(key)).status).toBe(401);
    expect((await look(`/user/info?user_id=${user_id}`)).json).toMatchObject({ teams: [], keys: [] });
    // Made again, it begins anew: no member, no spend.
    expect(await done("/team/new", { team_id })).toMatchObject({ members_with_roles: [], spend: 0 });
  });

  test("are made with their members, all or nothing", async () => {
    const team_id = name("team");
    const members_with_roles = [{ role: "admin", user_id: name("user") }, { role: "user", user_id: name("user") }];
    for (const wrong of ["x", [{ role: "admin" }], [members_with_roles[0], members_with_roles[0]], [{ ...members_with_roles[0], role: "king" }]]) {
      expect((await post("/team/new", { team_id, members_with_roles: wrong })).status).toBe(400);
    }
    expect((await look(`/team/info?team_id=${team_id}`)).status).toBe(404);
    const made = await done("/team/new", { team_id, members_with_roles });
    expect(made["members_with_roles"]).toEqual(expect.arrayContaining(members_with_roles));
    expect(made["members_with_roles"]).toHaveLength(2);
    expect((await post("/team/member_add", { team_id, member: members_with_roles[0] })).status).toBe(400);
    expect((await post("/team/update", { team_id, members_with_roles: [] })).status).toBe(400);
  });

  test("know two roles of members, and a soft budget only below the hard one", async () => {
    const team_id = name("team");
    expect((await post("/team/new", { team_id, max_budget: 1, soft_budget: 1 })).status).toBe(400);
    await done("/team/new", { team_id, max_budget: 1, soft_budget: 0.9 });
    expect((await post("/team/update", { team_id, max_budget: 0.5 })).status).toBe(400);
    const user_id = name("user");
    expect((await post("/team/member_add", { team_id, member: { user_id, role: "king" } })).status).toBe(400);
    await done("/team/member_add", { team_id, member: { user_id, role: "admin" } });
    expect((await post("/team/member_update", { team_id, user_id, role: "king" })).status).toBe(400);
  });

  test("a member's budget is changed at once; who leaves the team leaves its keys there", async () => {
    const team_id = name("team");
    const user_id = name("user");
    await done("/team/new", { team_id });
    await done("/team/member_add", { team_id, member: { user_id } });
    const { key } = await done("/key/generate", { team_id, user_id });
    const own = await done("/key/generate", { user_id });
    expect(await done("/team/member_update", { team_id, user_id, max_budget_in_team: 0, role: "admin" })).toMatchObject({ max_budget_in_team: 0, role: "admin" });
    expect((await ask(key)).body["error"].message).toContain("Member=");
    await done("/team/member_update", { team_id, user_id, max_budget_in_team: null, rpm_limit: 0 });
    expect((await ask(key)).status).toBe(429);
    await done("/team/member_update", { team_id, user_id, rpm_limit: null });
    expect((await ask(key)).status).toBe(200);
    expect(await done("/team/member_delete", { team_id, user_id })).toMatchObject({ team_id, members_with_roles: [] });
    expect((await ask(key)).status).toBe(401);
    expect((await ask(own["key"])).status).toBe(200);
    expect((await post("/team/member_delete", { team_id, user_id })).status).toBe(400);
    expect((await post("/team/member_update", { team_id, user_id, role: "user" })).status).toBe(400);
  });
});

describe("customers", () => {
  test.each(["customer", "end_user"])("/%s/*: listed, blocked and deleted; one that was never made can be blocked", async (path) => {
    const made = name("customer");
    const unknown = name("customer");
    const { key } = await done("/key/generate", {});
    await done(`/${path}/new`, { user_id: made, max_budget: 1, alias: "A" });
    expect(await done(`/${path}/block`, { user_ids: [made, unknown] })).toMatchObject({ blocked_users: [{ user_id: made, blocked: true }, { user_id: unknown, blocked: true }] });
    for (const user of [made, unknown]) expect((await ask(key, { user })).body["error"]).toMatchObject({ tollgate_code: "key_blocked" });
    await done(`/${path}/unblock`, { user_ids: [made, unknown] });
    for (const user of [made, unknown]) expect((await ask(key, { user })).status).toBe(200);
    const { json } = await look(`/${path}/list`);
    expect((json as unknown as Json[]).map((row) => row["user_id"])).toEqual(expect.arrayContaining([made, unknown]));
    expect(await done(`/${path}/delete`, { user_ids: [made] })).toMatchObject({ deleted_customers: 1 });
    expect((await look(`/${path}/info?end_user_id=${made}`)).status).toBe(404);
    expect((await post(`/${path}/unblock`, { user_ids: ["nobody"] })).status).toBe(404);
  });
});

test("names from outside are only names", async () => {
  for (const odd of ["__proto__", "constructor", "toString", "a,b", "a:b", 'a"]', "../x", "%2e", "ü 🌍"]) {
    await done("/team/new", { team_id: odd });
    await done("/customer/new", { user_id: odd });
    await done("/user/new", { user_id: odd });
    expect((await look(`/team/info?team_id=${encodeURIComponent(odd)}`)).json).toMatchObject({ team_id: odd });
    expect((await look(`/customer/info?end_user_id=${encodeURIComponent(odd)}`)).json).toMatchObject({ user_id: odd });
    const { key } = await done("/key/generate", { team_id: odd, user_id: odd, model_rpm_limit: { constructor: 1 } });
    expect((await ask(key, { user: odd })).status).toBe(200);
  }
  expect((await gateway.call("GET", "/v1/tollgate/audit")).body).toMatchObject({ agree: true, firstDifference: null });
});

test("10.2 bodies that are no objects, too large or hold __proto__ change nothing", async () => {
  for (const text of ["[]", "1", "null", '"x"', "{", '{"team_id":"x","metadata":{"__proto__":{}}}', `{"team_id":"${"x".repeat(300)}"}`, "[".repeat(100_000)]) {
    const response = await fetch(`${gateway.url}/team/new`, { method: "POST", headers: { authorization: `Bearer ${gateway.master}` }, body: text });
    expect(response.status).toBe(400);
    expect((await response.json() as Json)["error"].type).toBeTypeOf("string");
  }
  const huge = await fetch(`${gateway.url}/team/new`, { method: "POST", headers: { authorization: `Bearer ${gateway.master}` }, body: `{"team_id":"${"x".repeat(11_000_000)}"}` });
  expect(huge.status).toBe(413);
});

test("a key may change nothing, whatever it belongs to", async () => {
  const { key } = await done("/user/new", { user_id: name("user") });
  for (const path of ["/user/update", "/user/delete", "/team/update", "/team/delete", "/team/block", "/team/member_update", "/team/member_delete", "/customer/update", "/customer/delete", "/customer/block", "/key/regenerate", "/key/update"]) {
    expect((await gateway.call("POST", path, {}, key)).status).toBe(403);
  }
  for (const path of ["/user/list", "/team/list", "/v2/team/list", "/customer/list", "/end_user/list"]) expect((await gateway.call("GET", path, undefined, key)).status).toBe(403);
});
