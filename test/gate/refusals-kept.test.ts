import { expect, test } from "vitest";
import type { Refusal } from "../../src/domain/limits/books.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import type { Call } from "../../src/engine/call.ts";
import { GatewayObserver } from "../../src/surfaces/gateway/metrics.ts";

test("GATE 4.5: the last 10,000 refusals can be looked up by their call ids, older ones are forgotten", () => {
  const observer = new GatewayObserver({ inFlight: () => 0, onRefusal: () => {}, onFailure: () => {}, onSoftBudget: () => {} });
  const refusal: Refusal = {
    outcome: "budget_exceeded", spent: 1n, held: 0n, needed: 1n, resetsAt: undefined, retryAfterMs: undefined,
    limit: { scope: { kind: "key", id: "K", label: "k" }, model: undefined, measure: "nanoUsd", window: LIFETIME, cap: 1n, hard: true, windowText: undefined },
  };
  for (let index = 0; index <= 10_000; index += 1) observer.refused({ requestId: `R${index}`, at: index, request: { model: "m" } } as unknown as Call, refusal);
  expect(observer.refusals.size).toBe(10_000);
  expect([observer.refusals.has("R0"), observer.refusals.get("R1")?.at, observer.refusals.get("R10000")?.refusal]).toEqual([false, 1, refusal]);
});
