import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createPriceBook } from "../src/adapters/prices/price-book.ts";
import { openaiChat } from "../src/adapters/providers/openai/chat/dialect.ts";
import { ERROR_CODES, TollgateError, type ErrorCode } from "../src/base/errors.ts";
import { formatNanoUsd } from "../src/base/money.ts";
import { decide, type Decision } from "../src/domain/limits/decide.ts";
import { costOf } from "../src/domain/pricing/cost.ts";
import { LIFETIME } from "../src/domain/windows/window.ts";
import { askOf } from "../src/engine/estimate.ts";
import { errorBody, statusOf } from "../src/surfaces/http/status.ts";
import { testGateway } from "./support/gateway.ts";

const rows = (path: string): string[][] => [...readFileSync(path, "utf8").matchAll(/^\| (.*) \|$/gm)].map((match) => (match[1] as string).split(" | "));

test("docs/reference/routes.md lists every route of the gateway, and no other", async () => {
  const gateway = await testGateway("tollgate: { log_level: silent }");
  try {
    const { routes } = (await gateway.call("GET", "/routes")).body as { routes: { path: string; methods: string[] }[] };
    const documented = rows("docs/reference/routes.md").map(([first]) => /^`([A-Z]+ \/\S*)`$/.exec(first ?? "")?.[1]).filter((route) => route !== undefined);
    expect(documented.length).toBeGreaterThan(50);
    expect(documented.toSorted()).toEqual(routes.flatMap(({ path, methods }) => methods.map((method) => `${method} ${path}`)).toSorted());
    for (const { path, methods } of routes) {
      for (const method of methods) {
        const body = method === "POST" ? "{}" : undefined;
        const response = await fetch(`${gateway.url}${path.replaceAll(/\{\w+\}/g, "01ARZ3NDEKTSV4RRFFQ69G5FAV")}`, { method, ...(body === undefined ? {} : { body }), headers: { authorization: `Bearer ${gateway.master}` } });
        const text = await response.text();
        expect([method, path, text.includes("unknown_route"), response.status === 405]).toEqual([method, path, false, false]);
      }
    }
  } finally {
    await gateway.stop();
  }
});

test("docs/reference/errors.md says of every code its status, type and meaning, and of no other", () => {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  const said = codes.map((code) => {
    const status = statusOf(code, 422);
    const { error } = errorBody(new TollgateError(code, "x"), status);
    const reaches = error.tollgate_code === code;
    return [`\`${code}\``, reaches ? String(status) : "–", reaches ? `\`${error.type}\`` : "–", ERROR_CODES[code]];
  });
  expect(rows("docs/reference/errors.md").filter(([code]) => code?.startsWith("`") && code !== "`type`").toSorted()).toEqual(said.toSorted());
});

test("docs/concepts.md: the worked example is what the gate computes", () => {
  const text = readFileSync("docs/concepts.md", "utf8");
  const request = openaiChat.read(Buffer.from(/```json\n(.*)\n```/.exec(text)?.[1] ?? ""));
  const book = createPriceBook({});
  const price = book.find("openai", "gpt-4o-mini", Date.UTC(2026, 10, 24));
  if (price === undefined) throw new Error("no price");
  const ask = askOf(request, { provider: "openai", model: "gpt-4o-mini", maximumOutput: undefined } as never, book, price);
  const limit = { scope: { kind: "key", id: "k", label: "k" }, model: undefined, measure: "nanoUsd", window: LIFETIME, cap: 100_000n, hard: true, windowText: undefined } as const;
  const gate = (spent: bigint, held: bigint): Decision => decide(ask, [{ limit, spent, held }]);
  const admitted = (decision: Decision) => {
    if (decision.outcome !== "admitted") throw new Error(decision.outcome);
    return decision.hold;
  };
  const cost = costOf(price, [{ dimension: "input", quantity: 13 }, { dimension: "output", quantity: 42 }]);
  if ("unpriced" in cost) throw new Error("unpriced");
  const first = admitted(gate(0n, 0n));
  const next = admitted(gate(cost.nanoUsd, 0n));
  const usd = (nano: bigint): string => `$${formatNanoUsd(nano)}`;
  expect(first.cap).toBe(100);
  expect(Object.fromEntries(rows("docs/concepts.md").slice(1))).toEqual({
    "body, bytes": String(request.bytes),
    "input bound, tokens": String(request.inputBound),
    "hold, at the granted cap of 100": usd(first.nanoUsd),
    "left beside it while it is in flight": usd(100_000n - first.nanoUsd),
    "the same request again meanwhile": gate(0n, first.nanoUsd).outcome,
    "answered with 13 tokens in and 42 out: cost": usd(cost.nanoUsd),
    "spent after it": usd(cost.nanoUsd),
    "left after it": usd(100_000n - cost.nanoUsd),
    "cap granted to the next one": String(next.cap),
    "hold of the next one": usd(next.nanoUsd),
  });
});
