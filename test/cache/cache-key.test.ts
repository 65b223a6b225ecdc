import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, isRepeatable, keyText, type AnswerIdentity } from "../../src/domain/cache/cache-key.ts";

const QUESTION: AnswerIdentity = {
  route: "chat_completions", stream: false, provider: "openai", model: "gpt-4o-mini", address: "https://api.openai.com/v1/chat/completions", namespace: "", headers: {}, mock: undefined,
  body: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello" }], temperature: 0.5 },
};

/** The same value with the members of every object in another order. */
function reordered(value: unknown, turn: (members: [string, unknown][]) => [string, unknown][]): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => reordered(one, turn));
  return Object.fromEntries(turn(Object.entries(value)).map(([name, inner]) => [name, reordered(inner, turn)]));
}

const json = fc.jsonValue({ maxDepth: 4 });
const bodies = fc.dictionary(fc.string({ maxLength: 8 }), json, { maxKeys: 6 });

describe("the key of an answer", () => {
  test("the order of members never matters, at any depth (property)", () => {
    fc.assert(fc.property(bodies, fc.integer({ min: 0, max: 5 }), (body, by) => {
      const turned = reordered(body, (members) => [...members.slice(by), ...members.slice(0, by)].reverse()) as Record<string, unknown>;
      expect(keyText({ ...QUESTION, body: turned })).toBe(keyText({ ...QUESTION, body }));
    }), { numRuns: 500 });
  });

  test("two bodies have one key only if they say the same (property)", () => {
    const deciding = (body: Record<string, unknown>): unknown => JSON.parse(JSON.stringify(Object.fromEntries(Object.entries(body).filter(([name]) => !["stream", "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"].includes(name)))));
    fc.assert(fc.property(bodies, bodies, (a, b) => {
      let same = true;
      try {
        expect(deciding(a)).toStrictEqual(deciding(b));
      } catch {
        same = false;
      }
      expect(keyText({ ...QUESTION, body: a }) === keyText({ ...QUESTION, body: b })).toBe(same);
    }), { numRuns: 500 });
  });

  test("any one value that is changed anywhere changes it (property)", () => {
    fc.assert(fc.property(json, fc.nat(), (value, pick) => {
      const places: (string | number)[][] = [];
      const walk = (inner: unknown, path: (string | number)[]): void => {
        if (typeof inner === "object" && inner !== null) for (const [name, one] of Object.entries(inner)) walk(one, [...path, name]);
        else places.push(path);
      };
      walk(value, []);
      fc.pre(places.length > 0);
      const changed = JSON.parse(JSON.stringify({ value })) as { value: unknown };
      let holder = changed as unknown as Record<string, unknown>;
      const path = ["value", ...(places[pick % places.length] ?? [])];
      for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
      const last = path.at(-1) as string;
      holder[last] = [holder[last]];
      expect(canonicalJson(changed.value)).not.toBe(canonicalJson(JSON.parse(JSON.stringify(value))));
    }), { numRuns: 500 });
  });

  test("the order of lists matters: messages are not a set", () => {
    const two = [{ role: "user", content: "a" }, { role: "user", content: "b" }];
    expect(keyText({ ...QUESTION, body: { messages: two } })).not.toBe(keyText({ ...QUESTION, body: { messages: two.toReversed() } }));
  });

  test("route, stream, provider, model, address, namespace, headers and a mocked answer each change it", () => {
    const others: Partial<AnswerIdentity>[] = [
      { route: "embeddings" }, { stream: true }, { provider: "azure" }, { model: "gpt-4o" }, { address: "https://other/v1/chat/completions" }, { namespace: "tenant-7" },
      { headers: { "openai-beta": "x" } }, { mock: "Hi" }, { mock: null },
    ];
    const keys = new Set([{}, ...others].map((other) => keyText({ ...QUESTION, ...other })));
    expect(keys.size).toBe(others.length + 1);
  });

  test("who asks, credentials and tracing do not", () => {
    const body = { ...QUESTION.body, user: "ann", safety_identifier: "ann", metadata: { a: 1 }, prompt_cache_key: "k", prompt_cache_retention: "24h", stream: false };
    expect(keyText({ ...QUESTION, body })).toBe(keyText(QUESTION));
    expect(keyText({ ...QUESTION, headers: { Authorization: "Bearer x", "X-Request-Id": "1", traceparent: "00" } })).toBe(keyText(QUESTION));
    expect(keyText({ ...QUESTION, headers: { "OpenAI-Beta": "x" } })).toBe(keyText({ ...QUESTION, headers: { "openai-beta": "x" } }));
  });

  test("what depends on a state elsewhere, or comes later, is not repeatable", () => {
    expect([{}, { conversation: null }, { previous_response_id: "r" }, { conversation: "c" }, { background: true }].map(isRepeatable)).toEqual([true, true, true, false, false]);
  });
});
