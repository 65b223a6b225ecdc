import OpenAI from "openai";
import OpenAI6 from "openai-6";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { TollgateError } from "../../src/base/errors.ts";
import { formatNanoUsd } from "../../src/base/money.ts";
import { compare, format, parse, subtract, sum } from "../../src/money.ts";
import { errorBody } from "../../src/surfaces/http/status.ts";
import { usdNumber } from "../../src/surfaces/sdk/amounts.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";
import { HELLO, MODEL, sdkUnderTest, type SdkUnderTest } from "./instance.ts";

let sdk: SdkUnderTest | undefined;

afterEach(async () => {
  await sdk?.stop();
  sdk = undefined;
});

const REFUSAL = JSON.stringify(errorBody(new TollgateError("budget_exceeded", "Budget has been exceeded!", { details: { scope: "key", window: "30d", limit: "10", spent: "10.5", resets_at: "2026-12-01T00:00:00.000Z" } }), 422, "01J"));
const TOLD = { code: "budget_exceeded", scope: "key", window: "30d", maxBudget: 10, currentCost: 10.5, resetsAt: new Date("2026-12-01T00:00:00.000Z"), message: "Budget has been exceeded!" };

describe("BudgetExceededError.from", () => {
  test.each([["newest", OpenAI], ["previous", OpenAI6 as unknown as typeof OpenAI]])("finds a gateway's refusal in the error of the %s openai client", async (_name, Client) => {
    sdk = await sdkUnderTest({ provider: { standard: { status: 422, body: REFUSAL, headers: { "x-should-retry": "false" } } } });
    const client = new Client({ apiKey: "sk", baseURL: `${sdk.provider.url}/v1` });
    const error: unknown = await client.chat.completions.create({ model: "gpt-4o-mini", messages: HELLO }).catch((caught: unknown) => caught);
    expect(BudgetExceededError.from(error)).toMatchObject(TOLD);
  });

  test("a completion through a gateway throws it itself", async () => {
    sdk = await sdkUnderTest({ provider: { standard: { status: 422, body: REFUSAL } } });
    const error: unknown = await sdk.tollgate.completion({ model: MODEL, messages: HELLO }).catch((caught: unknown) => caught);
    expect(BudgetExceededError.isInstance(error)).toBe(true);
    expect(error).toMatchObject(TOLD);
  });

  test("looks into causes, lists of errors and bodies as text, without end in circles", () => {
    const own = new BudgetExceededError({ code: "budget_held", currentCost: 1, maxBudget: 1, scope: "process", window: null, resetsAt: null }, "held");
    expect(BudgetExceededError.from(new Error("outer", { cause: new AggregateError([new Error("x"), own]) }))).toBe(own);
    expect(BudgetExceededError.from({ name: "AI_RetryError", lastError: { name: "AI_APICallError", responseBody: REFUSAL } })).toMatchObject(TOLD);
    const circle: { cause?: unknown } = {};
    circle.cause = circle;
    for (const nothing of [circle, null, undefined, 1, "budget_exceeded", new Error("budget_exceeded"), { tollgate_code: "rate_limited" }, []]) expect(BudgetExceededError.from(nothing)).toBeUndefined();
  });
});

describe("tollgate/money", () => {
  test("adds, subtracts and compares exactly, whatever the spelling", () => {
    expect(sum("0.1", "0.2", 0.3, ["1e-7", ".5"])).toBe("1.1000001");
    expect(sum()).toBe("0");
    expect(subtract("10", "0.0001575")).toBe("9.9998425");
    expect(subtract(1, 2)).toBe("-1");
    expect([compare("0.10", 0.1), compare("2", "10"), compare(1, "0.999999999")]).toEqual([0, -1, 1]);
    expect(parse("0.0001575")).toBe(157_500n);
    expect([format(157_500n), format("1.5", { decimals: 2, symbol: "$" }), format("-0.1234567", { symbol: "$" })]).toEqual(["0.0001575", "$1.50", "-$0.1234567"]);
  });

  test.each(["", "a", "1.2.3", "0.0000000000001", Number.NaN, Infinity, null])("%s is no amount", (amount) => {
    expect(() => sum(amount as string)).toThrow(expect.objectContaining({ code: "invalid_amount" }) as Error);
  });

  test("a number of dollars is the nearest to the exact decimal, for every amount", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 9_000_000_000_000_000_000n }), (nano) => {
      expect(usdNumber(nano)).toBe(Number(formatNanoUsd(nano)));
      expect(parse(format(nano))).toBe(nano);
    }));
  });
});

test.each([
  [undefined, "invalid_request"], [{ messages: HELLO }, "invalid_request"], [{ model: MODEL }, "invalid_request"], [{ model: MODEL, messages: [] }, "invalid_request"],
  [{ model: MODEL, messages: HELLO, tags: "a" }, "invalid_request"], [{ model: MODEL, messages: HELLO, tags: [""] }, "invalid_request"], [{ model: MODEL, messages: HELLO, user: "" }, "invalid_request"],
  [{ model: MODEL, messages: HELLO, user: "x".repeat(300) }, "invalid_request"], [{ model: MODEL, messages: HELLO, metadata: { big: "x".repeat(20_000) } }, "invalid_request"],
  [{ model: MODEL, messages: HELLO, metadata: { n: 1n } }, "invalid_request"], [{ model: MODEL, messages: HELLO, seed: 1n }, "invalid_request"], [{ model: MODEL, messages: HELLO, timeoutMs: -1 }, "invalid_request"],
  [{ model: MODEL, messages: HELLO, maxRetries: Number.NaN }, "invalid_request"], [{ model: "", messages: HELLO, apiBase: undefined }, "unknown_model"],
  [{ model: MODEL, messages: HELLO, apiBase: "ftp://x" }, "config_invalid"], [{ model: MODEL, messages: HELLO, apiKey: "sk-\n" }, "invalid_request"], [{ model: MODEL, messages: HELLO, session: { id: "", maxIterations: 1 } }, "invalid_request"],
])("nonsense is refused by a TollgateError with a code, and nothing is sent: %o", async (params, code) => {
  sdk = await sdkUnderTest();
  const error: unknown = await sdk.tollgate.completion(params as never).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code });
  expect(TollgateError.isInstance(error)).toBe(true);
  expect([sdk.provider.requests.length, sdk.entries.length]).toEqual([0, 0]);
});
