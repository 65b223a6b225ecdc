import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Ask } from "../../src/domain/limits/ask.ts";
import { amountOf, decide, type Standing } from "../../src/domain/limits/decide.ts";
import type { Limit, Measure } from "../../src/domain/limits/limit.ts";
import { LIFETIME, MINUTE_SLIDING } from "../../src/domain/windows/window.ts";

function limit(measure: Measure, cap: bigint, hard = true): Limit {
  return { scope: { kind: "key", id: "K", label: "k" }, model: undefined, measure, window: measure === "nanoUsd" ? LIFETIME : MINUTE_SLIDING, cap, hard, windowText: undefined };
}

/** One input token 150,000 pico-dollars, one output token 600,000, a bound of 1,000 input tokens. */
function ask(declaredCap: number | undefined, maximumOutput: number | undefined = 16_384): Ask {
  return { money: { fixed: 150_000_000n, perToken: 600_000n }, tokens: { fixed: 250n, perToken: 1n }, inputTokens: 250n, outputPerToken: 1n, declaredCap, maximumOutput };
}

const standing = (one: Limit, spent: bigint, held = 0n): Standing => ({ limit: one, spent, held });

describe("admission", () => {
  test("3.1 a request that fits everything is admitted with the cap it declared, and no cap is sent", () => {
    const decision = decide(ask(200), [standing(limit("nanoUsd", 1_000_000_000n), 0n)]);
    expect(decision).toEqual({ outcome: "admitted", hold: { cap: 200, nanoUsd: 270_000n }, sendCap: undefined });
  });

  test("3.1 spent money shortens the answer instead of refusing it", () => {
    const decision = decide(ask(2_000), [standing(limit("nanoUsd", 300_000n), 0n)]);
    expect(decision).toMatchObject({ outcome: "admitted", hold: { cap: 250 }, sendCap: 250 });
  });

  test("3.1 a budget as good as none lends one request a million dollars at most: sums stay within 64 bits whatever is asked", () => {
    const unlimited = limit("nanoUsd", 9_000_000_000_000_000_000n);
    const decision = decide(ask(Number.MAX_SAFE_INTEGER), [standing(unlimited, 0n)]);
    if (decision.outcome !== "admitted") throw new Error(decision.outcome);
    expect(decision.hold.nanoUsd).toBeLessThanOrEqual(1_000_000_000_000_000n);
    expect(decision.hold.nanoUsd).toBeGreaterThan(999_999_999_000_000n);
    expect(decision.sendCap).toBe(decision.hold.cap);
  });

  test("3.2 held money never shortens an answer: the request waits instead", () => {
    const decision = decide(ask(2_000), [standing(limit("nanoUsd", 2_000_000n), 0n, 1_500_000n)]);
    expect(decision).toMatchObject({ outcome: "budget_held", needed: 1_350_000n });
  });

  test("3.1 below 64 tokens a budget is exceeded, and exactly 64 tokens are admitted", () => {
    const need = 150_000n + 64n * 600n;
    expect(decide(ask(500), [standing(limit("nanoUsd", need), 0n)])).toMatchObject({ outcome: "admitted", hold: { cap: 64 } });
    expect(decide(ask(500), [standing(limit("nanoUsd", need - 1n), 0n)])).toMatchObject({ outcome: "budget_exceeded" });
  });

  test("3.1 a client that declares fewer than 64 tokens gets them", () => {
    expect(decide(ask(3), [standing(limit("nanoUsd", 151_800n), 0n)])).toMatchObject({ outcome: "admitted", hold: { cap: 3 } });
  });

  test("3.1 money speaks before rates, never before not now", () => {
    const spent = standing(limit("nanoUsd", 10n), 10n);
    const rate = standing(limit("requests", 1n), 1n);
    expect(decide(ask(100), [rate, spent])).toMatchObject({ outcome: "budget_exceeded" });
    const held = standing(limit("nanoUsd", 1_000_000n), 0n, 1_000_000n);
    expect(decide(ask(100), [rate, held])).toMatchObject({ outcome: "budget_held" });
    const tooLarge = standing(limit("tokens", 100n), 0n);
    expect(decide(ask(100), [rate, tooLarge])).toMatchObject({ outcome: "request_exceeds_tpm" });
  });

  test("3.3 an undeclared cap is what a sixteenth of what is left affords, and is sent", () => {
    const decision = decide(ask(undefined), [standing(limit("nanoUsd", 50_000_000n), 0n)]);
    expect(decision).toMatchObject({ outcome: "admitted", hold: { cap: 4_958 }, sendCap: 4_958 });
  });

  test("3.3 without a hard budget nothing is sent", () => {
    expect(decide(ask(undefined), [])).toMatchObject({ outcome: "admitted", hold: { cap: 16_384 }, sendCap: undefined });
    expect(decide(ask(undefined), [standing(limit("tokens", 16_000n), 0n)])).toMatchObject({ hold: { cap: 1_000 }, sendCap: undefined });
    expect(decide(ask(undefined), [standing(limit("nanoUsd", 0n, false), 5n)])).toMatchObject({ outcome: "admitted", sendCap: undefined });
  });

  test("3.3 a cap that is not below the model's maximum is not sent, one of an unknown model always", () => {
    const rich = [standing(limit("nanoUsd", 10n ** 15n), 0n)];
    expect(decide(ask(undefined), rich)).toMatchObject({ hold: { cap: 16_384 }, sendCap: undefined });
    expect(decide({ ...ask(undefined), maximumOutput: undefined }, rich)).toMatchObject({ hold: { cap: 4_096 }, sendCap: 4_096 });
  });

  test("one comparison everywhere: an admitted hold fits every limit, and a refused one does not fit the named limit", () => {
    const measures: Measure[] = ["nanoUsd", "requests", "tokens", "inputTokens", "outputTokens", "slots"];
    const amount = fc.bigInt({ min: 0n, max: 3_000_000n });
    const limits = fc.array(fc.tuple(fc.constantFrom(...measures), amount, amount, amount), { maxLength: 6 });
    fc.assert(fc.property(limits, fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined }), (rows, declared) => {
      const standings = rows.map(([measure, cap, spent, held]) => standing(limit(measure, cap), spent, held));
      const asked = ask(declared);
      const decision = decide(asked, standings);
      if (decision.outcome === "admitted") {
        for (const { limit: one, spent, held } of standings) {
          expect(spent + held + amountOf(asked, one.measure, BigInt(decision.hold.cap)) <= one.cap).toBe(true);
        }
        if (declared !== undefined) expect(decision.hold.cap).toBeLessThanOrEqual(declared);
      } else {
        const { limit: one, spent, held } = decision.standing;
        expect(spent + held + decision.needed > one.cap).toBe(true);
      }
    }));
  });
});

test("a request that may not be shortened is held whole or refused: no cap is lowered, none is added", () => {
  const whole = (declared: number | undefined, maximum?: number): Ask => ({ ...ask(declared, maximum), wholeOutput: true });
  const money = (cap: bigint): Standing => standing(limit("nanoUsd", cap), 0n);
  const need = (cap: bigint): bigint => 150_000n + 600n * cap;
  expect(decide(ask(1_000), [money(need(500n))])).toMatchObject({ outcome: "admitted", hold: { cap: 500 }, sendCap: 500 });
  expect(decide(whole(1_000), [money(need(999n))])).toMatchObject({ outcome: "budget_exceeded", needed: need(1_000n) });
  expect(decide(whole(1_000), [money(need(1_000n))])).toMatchObject({ outcome: "admitted", hold: { cap: 1_000 }, sendCap: undefined });
  expect(decide(whole(undefined, 2_000), [money(need(1_999n))])).toMatchObject({ outcome: "budget_exceeded", needed: need(2_000n) });
  expect(decide(whole(undefined, 2_000), [money(need(2_000n))])).toMatchObject({ outcome: "admitted", hold: { cap: 2_000 }, sendCap: undefined });
  expect(decide(whole(1_000), [{ ...money(need(1_000n)), held: 1n }])).toMatchObject({ outcome: "budget_held" });
});
