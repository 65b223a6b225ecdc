import { afterAll, beforeAll, expect, test } from "vitest";
import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor } from "../../src/app/books/cost-monitor.ts";
import { testGateway } from "../support/gateway.ts";

let gateway: Awaited<ReturnType<typeof testGateway>>;
beforeAll(async () => {
  gateway = await testGateway("tollgate: { log_level: silent }");
  const model = gateway.modelNames[0];
  for (const alias of ["ci", "prod"]) {
    const made = await gateway.call("POST", "/key/generate", { key_alias: alias });
    for (const user of alias === "ci" ? ["ann", "bob"] : ["ann"]) {
      const answer = await gateway.call("POST", "/v1/chat/completions", { model, user, max_tokens: 50, messages: [{ role: "user", content: "hello" }] }, made.body["key"] as string);
      expect(answer.status).toBe(200);
    }
  }
});
afterAll(() => gateway.stop());

const rows = async (query: string): Promise<Record<string, unknown>[]> => (await gateway.call("GET", `/v1/tollgate/costs?${query}`)).body["rows"] as Record<string, unknown>[];

test("a filter takes a key's alias as well as its id; rows carry what people call them", async () => {
  const byKey = await rows("by=key");
  expect(byKey.map((row) => [row["label"], row["requests"]]).toSorted()).toEqual([["ci", 2], ["prod", 1]]);
  const id = byKey.find((row) => row["label"] === "ci")?.["group"] as string;
  expect((await rows("by=user&key=ci")).map((row) => row["group"]).toSorted()).toEqual(["ann", "bob"]);
  expect(await rows(`by=user&key=${id}`)).toEqual(await rows("by=user&key=ci"));
  expect(await rows("key=nobody")).toMatchObject([{ requests: 0, cost: 0 }]);
  expect((await gateway.call("GET", "/v1/tollgate/entries?key=ci&user=ann")).body).toMatchObject({ next: null, entries: [{ customer: "ann" }] });
  expect((await gateway.call("GET", "/v1/tollgate/labels?of=key")).body["labels"]).toContainEqual({ id, label: "ci" });
  const analyzer = new CostAnalyzer(gateway.url, { apiKey: gateway.master });
  expect(await analyzer.costByKey({ filter: { key: "ci" } })).toMatchObject([{ key: id, label: "ci", requests: 2 }]);
});

test("a team goes by the id that it was given, or by its alias, in filters, rows and a monitor's budgets, over the URL and in the file", async () => {
  await gateway.call("POST", "/team/new", { team_id: "search", team_alias: "Search team" });
  const made = await gateway.call("POST", "/key/generate", { team_id: "search" });
  expect((await gateway.call("POST", "/v1/chat/completions", { model: gateway.modelNames[0], max_tokens: 50, messages: [{ role: "user", content: "hello" }] }, made.body["key"] as string)).status).toBe(200);
  await gateway.call("GET", "/v1/tollgate/audit");
  const cost = (await rows("by=team")).find((row) => row["label"] === "Search team")?.["cost_exact"];
  for (const place of [gateway.url, gateway.folder]) {
    const analyzer = new CostAnalyzer(place, { apiKey: gateway.master });
    expect(await analyzer.by("team")).toContainEqual(expect.objectContaining({ id: "search", label: "Search team", costExact: cost }));
    for (const team of ["search", "Search team"]) {
      expect((await analyzer.total({ filter: { team } })).costExact).toBe(cost);
      const monitor = new CostMonitor(analyzer, { thresholds: {}, budgets: [{ maxBudget: "0.000000001", team }] });
      expect(await monitor.checkAlerts()).toMatchObject([{ kind: "budget" }]);
      expect((await monitor.forecast({ filter: { team } })).spentExact).toBe(cost);
    }
    await analyzer.close();
  }
  expect(await (await gateway.call("GET", "/v1/tollgate/spend?by=team")).body["rows"]).toContainEqual(expect.objectContaining({ group: "search", label: "Search team" }));
});

test("a team that was deleted keeps its id in reports, beside a new one of the same id", async () => {
  const ask = async (): Promise<void> => {
    await gateway.call("POST", "/team/new", { team_id: "gone", team_alias: "Gone" });
    const made = await gateway.call("POST", "/key/generate", { team_id: "gone" });
    expect((await gateway.call("POST", "/v1/chat/completions", { model: gateway.modelNames[0], max_tokens: 50, messages: [{ role: "user", content: "hello" }] }, made.body["key"] as string)).status).toBe(200);
  };
  const named = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const place of [gateway.url, gateway.folder]) {
      const analyzer = new CostAnalyzer(place, { apiKey: gateway.master });
      found.push((await analyzer.by("team")).filter(({ id }) => id === "gone").map(({ label }) => label).toSorted().join());
      await analyzer.close();
    }
    return [...found, (await rows("by=team")).map((row) => String(row["label"])).filter((label) => /gone/i.test(label)).toSorted().join()];
  };
  await ask();
  await gateway.call("GET", "/v1/tollgate/audit");
  expect(await named()).toEqual(["Gone", "Gone", "Gone"]);
  await gateway.call("POST", "/team/delete", { team_ids: ["gone"] });
  expect(await named()).toEqual(["gone (deleted)", "gone (deleted)", "gone (deleted)"]);
  await ask();
  await gateway.call("GET", "/v1/tollgate/audit");
  expect(await named()).toEqual(["Gone,gone (deleted)", "Gone,gone (deleted)", "Gone,gone (deleted)"]);
});

test.each([
  ["costs", "by=colour", "invalid_request", "by"], ["costs", "days=0", "invalid_request", "days"], ["costs", "days=1e9", "invalid_request", "days"], ["costs", "days=3&months=1", "invalid_request", "months"],
  ["costs", "from=yesterday", "invalid_request", "from"], ["costs", "from=2026-11-02&to=2026-10-30", "invalid_request", "to"], ["costs", "time_zone=Mars/Base", "invalid_time_zone", "time_zone"], ["costs", "week_start=7", "invalid_request", "week_start"],
  ["costs", "group=model", "unknown_field", "group"], ["costs", "tag=a&tag=b", "invalid_request", "tag"], ["costs", "without=colour", "invalid_request", "without"], ["costs", "user=a&without=user", "invalid_request", "without"],
  ["costs", "by=hour&to=2026-11-01", "invalid_request", "from"], ["entries", "limit=0", "invalid_request", "limit"], ["entries", "limit=1001", "invalid_request", "limit"], ["entries", "limit=-1", "invalid_request", "limit"], ["entries", "order=random", "invalid_request", "order"],
  ["entries", "__proto__=1", "unknown_field", "__proto__"], ["arrivals", "after=x", "invalid_request", "after"], ["labels", "", "invalid_request", "of"],
])("400: /v1/tollgate/%s?%s is %s and names %s", async (route, query, code, param) => {
  const { status, body } = await gateway.call("GET", `/v1/tollgate/${route}?${query}`);
  expect([status, body["error"]]).toMatchObject([400, { tollgate_code: code, param }]);
});

test("401 and 403: without the master key there are no reports, and the analyzer says so under the gateway's own code", async () => {
  const made = await gateway.call("POST", "/key/generate", {});
  for (const route of ["costs", "entries", "arrivals", "labels?of=key"]) {
    expect((await gateway.call("GET", `/v1/tollgate/${route}`, undefined, made.body["key"] as string)).status).toBe(403);
    expect((await gateway.call("GET", `/v1/tollgate/${route}`, undefined, "sk-wrong")).status).toBe(401);
  }
  await expect(new CostAnalyzer(gateway.url, { apiKey: "sk-wrong" }).total()).rejects.toMatchObject({ code: "invalid_key" });
  await expect(new CostAnalyzer("http://127.0.0.1:9", { apiKey: "sk-x" }).total()).rejects.toMatchObject({ code: "gateway_unreachable" });
});
