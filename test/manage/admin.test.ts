import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { MemoryBooks } from "../../src/adapters/books/memory/memory-books.ts";
import { UlidSource } from "../../src/base/ids.ts";
import { adjustmentEntry } from "../../src/domain/ledger/entry.ts";
import type { RecordChange, StoredRecord } from "../../src/domain/ledger/store.ts";
import type { Limit } from "../../src/domain/limits/limit.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { Directory } from "../../src/engine/manage/directory.ts";
import { Management } from "../../src/engine/manage/management.ts";
import { createAdmin } from "../../src/surfaces/admin/routes.ts";

const MASTER = "sk-master-of-the-tests";
const hash = (key: string): string => createHash("sha256").update(key).digest("hex");

/** A store in memory that keeps the contract of versions. */
class MemoryStore {
  rows = new Map<string, StoredRecord>();
  async change(changes: readonly RecordChange[]): Promise<void> {
    for (const { kind, id, expectedVersion } of changes) expect(this.rows.get(`${kind}:${id}`)?.version ?? 0).toBe(expectedVersion);
    for (const { kind, id, expectedVersion, document } of changes) {
      if (document === null) this.rows.delete(`${kind}:${id}`);
      else this.rows.set(`${kind}:${id}`, { kind, id, version: expectedVersion + 1, document });
    }
  }
}

function world(maxEndUserBudgetNanoUsd?: bigint) {
  const clock = { time: Date.UTC(2026, 10, 24, 12), now() { return this.time; }, monotonic() { return this.time; } };
  const options = { global: { scopes: [GLOBAL_SCOPE], limits: [] }, masterHash: hash(MASTER), tokenRateLimitType: "total", timeZone: "UTC", weekStart: 0, maxEndUserBudgetNanoUsd } as const;
  const directory = new Directory(options);
  const store = new MemoryStore();
  const books = new MemoryBooks({ clock, journal: { append: (_record, then) => then(undefined, 1), opened() {}, closed() {} }, stored: [], history: { spent: async () => ({ nanoUsd: 1_500_000_001n, lastSequence: 9 }), has: async () => false }, onEntry() {} });
  const seeded: Limit[] = [];
  const management = new Management({
    store, directory, clock, ids: new UlidSource(randomBytes), hashKey: hash, randomKey: () => `sk-${randomBytes(16).toString("hex")}`,
    adjust: async () => {},
    standing: (scope, window) => books.standingNow(scope, undefined, window),
    seed: (limits) => {
      seeded.push(...limits);
      return new Promise((resolve, reject) => books.seed(limits, (error) => (error === undefined ? resolve() : reject(error))));
    },
  });
  const defects: unknown[] = [];
  const app = createAdmin({
    management, bodyLimitBytes: 10_000, budgetExceededStatus: 422, onDefect: (error) => defects.push(error),
    identify: (headers) => directory.identify(hash((headers.get("authorization") ?? "").slice(7)), clock.now()),
  });
  const call = async (path: string, body?: string | object, key = MASTER) => {
    const init = body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await app.request(path, { ...init, headers: { authorization: `Bearer ${key}` } });
    const text = await response.text();
    return { status: response.status, text, json: JSON.parse(text) as any };
  };
  const who = (key: string) => directory.identify(hash(key), clock.now());
  return { clock, options, directory, store, books, seeded, call, who, defects };
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "no error";
};

describe("keys", () => {
  test("10.5 an amount keeps its decimal digits, beyond what a float holds, and is rounded down to the nano-dollar", async () => {
    const { call } = world();
    const { status, text, json } = await call("/key/generate", '{"max_budget": 9007199.2547409931239, "key_alias": "ci"}');
    expect(status).toBe(200);
    expect(text).toContain('"max_budget":9007199.254740993,');
    expect(json.token).toBe(hash(json.key));
    expect(json.key_name).not.toBe(json.key);
  });

  test("the key is shown once and never stored", async () => {
    const { call, store } = world();
    const { json } = await call("/key/generate", {});
    expect(JSON.stringify([...store.rows.values()])).not.toContain(json.key);
    expect((await call(`/key/info?key=${json.token}`)).text).not.toContain(json.key);
  });

  test("6.3, 6.5 a new budget window has its history before the call returns, and spend is that of the window", async () => {
    const { call, seeded, books, who, clock } = world();
    const { json } = await call("/key/generate", {});
    const scope = `key:${who(json.key).keyId}`;
    const earlier = adjustmentEntry({ id: "E", at: clock.time, scope, counter: `${scope}|*|lifetime@0`, by: 1_500_000_002n, metadata: null });
    books.replay(earlier, 9);
    const { text } = await call("/key/update", { key: json.key, max_budget: "5", budget_duration: "1d" });
    expect(seeded.map((limit) => [limit.measure, limit.cap])).toEqual([["nanoUsd", 5_000_000_000n]]);
    expect(text).toContain('"spend":1.500000001,');
    expect(text).toContain('"held":0,"lifetime_spend":1.500000002}');
  });

  test.each([
    ['{"max_budget": -1}', "invalid_amount"], ['{"max_budget": -0.0000000001}', "invalid_amount"], ['{"max_budget": "NaN"}', "invalid_amount"], ['{"max_budget": 1e30}', "invalid_amount"],
    ['{"budget_duration": "0d"}', "invalid_duration"], ['{"max_budgets": 1}', "unknown_field"], ['{"model_max_budget": {"m": {"budget": 1}}}', "unknown_field"], ['{"model_max_budget": {"m": {"budget_limit": -1}}}', "invalid_amount"], ['{"model_max_budget": {"m": {}}}', "invalid_request"], ['{"model_max_budget": {"m": {"budget_limit": 1, "time_period": "0d"}}}', "invalid_duration"], ['{"model_max_budget": [1]}', "invalid_request"], ['{"organization_id": "o"}', "unsupported_field"],
    ['{"spend": -3}', "invalid_amount"], ['{"rpm_limit": 1.5}', "invalid_request"], ['{"team_id": "nobody"}', "not_found"], ['{"a', "invalid_json"], ['{"metadata": {"__proto__": 1}}', "forbidden_member"],
  ])("%s is refused as %s and nothing is stored", async (body, code) => {
    const { call, store } = world();
    const { status, json } = await call("/key/generate", body);
    expect(json.error.tollgate_code).toBe(code);
    expect(json.error.code).toBe(String(status));
    expect(store.rows.size).toBe(0);
  });

  test("10.5 an unknown field names its neighbour, a known one without function is told", async () => {
    const { call } = world();
    expect((await call("/key/generate", { max_budgett: 1 })).json.error.message).toContain("max_budget?");
    const { json } = await call("/key/generate", { guardrails: ["g"] });
    expect(json.guardrails).toEqual(["g"]);
    expect(json.tollgate.warnings).toEqual(["guardrails is stored, but has no function yet."]);
  });

  test("blocked, expired and deleted keys stop at once; an update or unblock revives them at once", async () => {
    const { call, who, clock } = world();
    const { key } = (await call("/key/generate", { duration: "1h" })).json;
    await call("/key/block", { key });
    expect(codeOf(() => who(key))).toBe("key_blocked");
    await call("/key/unblock", { key });
    expect(codeOf(() => who(key))).toBe("no error");
    clock.time += 3_600_000;
    expect(codeOf(() => who(key))).toBe("key_expired");
    await call("/key/update", { key, duration: "-1" });
    expect(codeOf(() => who(key))).toBe("no error");
    expect((await call("/key/delete", { keys: [key] })).json).toEqual({ deleted_keys: [key] });
    expect(codeOf(() => who(key))).toBe("invalid_key");
  });

  test("an update leaves what it does not name, and null clears", async () => {
    const { call, who } = world();
    const { key } = (await call("/key/generate", { max_budget: 1, rpm_limit: 5 })).json;
    const { json } = await call("/key/update", { key, max_budget: null });
    expect([json.max_budget, json.rpm_limit]).toEqual([null, 5]);
    expect(who(key).charges.limits.map((limit) => limit.measure)).toEqual(["requests"]);
  });

  test("two keys made at the same time cannot share an alias", async () => {
    const { call } = world();
    const answers = await Promise.all([call("/key/generate", { key_alias: "a" }), call("/key/generate", { key_alias: "a" })]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400]);
  });

  test("a key may ask about itself and do nothing else", async () => {
    const { call } = world();
    const mine = (await call("/key/generate", {})).json;
    const other = (await call("/key/generate", {})).json;
    expect((await call("/key/info", undefined, mine.key)).json.info.token).toBe(mine.token);
    expect((await call(`/key/info?key=${other.token}`, undefined, mine.key)).status).toBe(403);
    expect((await call("/key/generate", {}, mine.key)).status).toBe(403);
    expect((await call("/key/list", undefined, mine.key)).status).toBe(403);
    expect((await call("/key/info", undefined, "sk-unknown")).json.error.type).toBe("token_not_found_in_db");
  });

  test("the list is newest first, in pages", async () => {
    const { call } = world();
    const tokens: string[] = [];
    for (let i = 0; i < 3; i += 1) tokens.unshift((await call("/key/generate", {})).json.token);
    expect((await call("/key/list?size=2&page=2")).json).toEqual({ keys: [tokens[2]], total_count: 3, current_page: 2, total_pages: 2 });
  });
});

describe("who is charged", () => {
  const kinds = (list: readonly { kind: string }[]) => list.map((scope) => scope.kind);

  test("1.5 a team key charges global, team, member and key, and of its user only the rates count", async () => {
    const { call, who } = world();
    await call("/user/new", { user_id: "u", max_budget: 1, rpm_limit: 3, auto_create_key: false });
    await call("/team/new", { team_id: "t", max_budget: 2 });
    expect((await call("/team/member_add", { team_id: "t", member: { user_id: "u", role: "user" }, max_budget_in_team: 0.5 })).status).toBe(200);
    const { key } = (await call("/key/generate", { user_id: "u", team_id: "t" })).json;
    const { charges } = who(key);
    expect(kinds(charges.scopes)).toEqual(["global", "team", "member", "key"]);
    expect(charges.limits.map((limit) => [limit.scope.kind, limit.measure, limit.cap])).toEqual([["team", "nanoUsd", 2_000_000_000n], ["member", "nanoUsd", 500_000_000n], ["user", "requests", 3n]]);
  });

  test("1.5 a personal key charges its user; the master key is charged to global alone", async () => {
    const { call, who } = world();
    const { key } = (await call("/user/new", { user_id: "u", max_budget: 1 })).json;
    expect(kinds(who(key).charges.scopes)).toEqual(["global", "key", "user"]);
    expect(kinds(who(MASTER).charges.scopes)).toEqual(["global"]);
  });

  test("1.6 a key made again under its old text has a new scope", async () => {
    const { call, who } = world();
    const key = "sk-chosen-by-the-client";
    await call("/key/generate", { key });
    const before = who(key).keyId;
    await call("/key/delete", { keys: [key] });
    await call("/key/generate", { key });
    expect(who(key).keyId).not.toBe(before);
  });

  test("models of key and team both decide, and limits of one model stand apart", async () => {
    const { call, who } = world();
    await call("/team/new", { team_id: "t", models: ["gpt-4o", "openai/*"] });
    const { key } = (await call("/key/generate", { team_id: "t", models: ["openai/*"], model_rpm_limit: { "openai/a": 2 } })).json;
    expect(codeOf(() => who(key).checkModel("openai/a"))).toBe("no error");
    expect(codeOf(() => who(key).checkModel("gpt-4o"))).toBe("key_model_access_denied");
    const { key: open } = (await call("/key/generate", { team_id: "t" })).json;
    expect(codeOf(() => who(open).checkModel("other"))).toBe("team_model_access_denied");
    expect(who(key).charges.limits).toEqual([]);
    expect(who(key).modelLimits("openai/a")?.limits.map((limit) => limit.cap)).toEqual([2n]);
    expect(who(key).modelLimits("constructor")).toBeUndefined();
  });

  test("10.1 a customer is a label unless made; a default budget bounds new names to 100 a minute per key", async () => {
    const plain = world();
    expect(plain.directory.customer("c", "K", 0)).toBeUndefined();
    await plain.call("/customer/new", { user_id: "c", max_budget: 1 });
    expect(plain.directory.customer("c", "K", 0)?.limits.map((limit) => limit.cap)).toEqual([1_000_000_000n]);
    expect((await plain.call("/customer/info?end_user_id=c")).json.max_budget).toBe(1);
    const { directory } = world(7n);
    for (let i = 0; i < 100; i += 1) expect(directory.customer(`a,b|${i}`, "K", 0)?.scopes[0]?.id).not.toMatch(/[,|]/);
    expect(codeOf(() => directory.customer("one more", "K", 0))).toBe("too_many_new_customers");
    expect(codeOf(() => directory.customer("a,b|1", "K", 0))).toBe("no error");
    expect(codeOf(() => directory.customer("one more", "K", 60_000))).toBe("no error");
  });

  test("a directory loaded from the store knows the same keys", async () => {
    const { call, store, options, who } = world();
    await call("/team/new", { team_id: "t", max_budget: 2 });
    const { key } = (await call("/key/generate", { team_id: "t", user_id: "new", tpm_limit: 9 })).json;
    const again = new Directory(options);
    again.load([...store.rows.values()]);
    expect(again.identify(hash(key), 0).charges).toEqual(who(key).charges);
  });
});
