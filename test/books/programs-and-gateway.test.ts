import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteBooks, type SharedBooks } from "../../src/adapters/books/sqlite/open-sqlite-books.ts";
import { openSqliteReader } from "../../src/adapters/stores/sqlite/store.ts";
import { SteadyClock } from "../../src/base/clock.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME, type WindowSpec } from "../../src/domain/windows/window.ts";
import { testGateway } from "../support/gateway.ts";
import { admitted, askOf, chargeOf, closed, DAILY, factsOf, GLOBAL_AND_KEY, money, opened, seeded, standingOf } from "./conformance.ts";

const CONFIG = "tollgate: { log_level: silent }\nlitellm_settings: { max_budget: 1, budget_duration: 1d }";
const WEEKLY: WindowSpec = { kind: "aligned", duration: { count: 1, unit: "w" }, zone: "UTC", weekStart: 0 };

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "tollgate-both-")); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program = (): Promise<SharedBooks> =>
  openSqliteBooks({ path: join(folder, "ledger.db"), clock: new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, () => {}) });

/** Everything the ledger was charged, once it is known to agree with itself. */
function auditedTotal(): bigint {
  const reader = openSqliteReader(join(folder, "ledger.db"));
  try {
    const report = reader.audit();
    expect(report.firstDifference).toBeNull();
    return BigInt(report.totalNanoUsd);
  } finally {
    reader.close();
  }
}

test("GATE 8.5: while a gateway has the folder a program is refused with its address, and the other way round the gateway is", async () => {
  const gateway = await testGateway(CONFIG, folder);
  await expect(program()).rejects.toMatchObject({ code: "data_folder_in_use", message: expect.stringContaining(gateway.url) });
  await gateway.close();
  const [one, two] = [await program(), await program()];
  await expect(testGateway(CONFIG, folder)).rejects.toMatchObject({ code: "data_folder_in_use", message: expect.stringContaining("Another process") });
  await one.close();
  await expect(testGateway(CONFIG, folder)).rejects.toMatchObject({ code: "data_folder_in_use" });
  await two.close();
  await (await testGateway(CONFIG, folder)).close();
});

test("programs, then a gateway, then programs on one ledger: what was left open is charged, every window goes on, the audit agrees", async () => {
  const before = await program();
  const budgets = [money(1_000_000_000n, DAILY, { scope: GLOBAL_SCOPE }), money(2_000_000_000n, WEEKLY, { scope: GLOBAL_SCOPE })];
  const sets = [{ scopes: GLOBAL_AND_KEY, limits: budgets }];
  await closed(before.books, admitted(await opened(before.books, askOf(10_000n), factsOf(Date.now()), sets)), chargeOf(8_000n));
  admitted(await opened(before.books, askOf(5_000n), factsOf(Date.now()), sets));
  await before.close();

  const gateway = await testGateway(CONFIG, folder);
  const model = gateway.modelNames[0];
  const answer = await gateway.call("POST", "/v1/chat/completions", { model, messages: [{ role: "user", content: "hello" }], max_tokens: 100 });
  expect(answer.status).toBe(200);
  await gateway.close();
  const total = auditedTotal();
  expect(total).toBeGreaterThan(13_000n);

  const after = await program();
  for (const window of [DAILY, WEEKLY, LIFETIME]) expect(await standingOf(after.books, GLOBAL_SCOPE, window)).toEqual({ spent: total, held: 0n, lifetime: total });
  await seeded(after.books, budgets);
  await closed(after.books, admitted(await opened(after.books, askOf(10_000n), factsOf(Date.now()), sets)), chargeOf(1_000n));
  expect(await standingOf(after.books, GLOBAL_SCOPE, WEEKLY)).toMatchObject({ spent: total + 1_000n });
  await after.close();
  expect(auditedTotal()).toBe(total + 1_000n);
});
