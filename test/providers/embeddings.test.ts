import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openaiEmbeddings } from "../../src/adapters/providers/openai/embeddings/dialect.ts";
import { TollgateError } from "../../src/base/errors.ts";
import { fixture } from "./fixtures.ts";

const bytes = (body: unknown): Buffer => Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
const read = (body: unknown) => openaiEmbeddings.read(bytes(body));
const asked = (input: unknown, more: object = {}): unknown => ({ model: "text-embedding-3-small", input, ...more });

describe("a request for embeddings", () => {
  test("says model, customer, tags and metadata, and asks for no output", () => {
    expect(read(asked("Hi", { user: "ünal", tags: ["a"], metadata: { tags: ["b"] } }))).toMatchObject({
      model: "text-embedding-3-small", stream: false, declaredCap: 0, choices: 1, user: "ünal", tags: ["a", "b"],
    });
  });

  test.each([["nothing", undefined], ["null", null], ["an empty array", []]])("400 invalid_request: %s as input", (_title, input) => {
    expect(() => read(asked(input))).toThrow(expect.objectContaining({ code: "invalid_request", param: "input" }));
  });

  test.each([
    ["invalid_json", '{"model":"m","input":"x"'],
    ["duplicate_member", '{"model":"m","input":"x","model":"n"}'],
    ["forbidden_member", '{"model":"m","input":["x"],"__proto__":{}}'],
    ["body_too_deep", `{"model":"m","input":${"[".repeat(70)}${"]".repeat(70)}}`],
    ["invalid_request", '{"model":7,"input":"x"}'],
  ])("400 %s, as for every dialect", (code, body) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code }));
    expect(() => read(body)).toThrow(TollgateError);
  });

  test("9.1 the model is replaced in its place; nothing else ever changes, no cap is added", () => {
    const body = '{ "input":["a","model"], "model" : "embed",\n"dimensions":256}';
    const request = read(body);
    const edit = { capField: "max_tokens", includeUsage: true, cap: 0 } as const;
    expect(Buffer.from(request.edit({ ...edit, model: "text-embedding-3-small" })).toString()).toBe(body.replace('"embed"', '"text-embedding-3-small"'));
    expect(request.edit({ ...edit, model: "embed" })).toEqual(bytes(body));
  });
});

describe("2.1 the input bound", () => {
  test("of token ids is never below their number, single digits included", () => {
    const ids = fc.array(fc.oneof(fc.nat(9), fc.nat(200_000)), { minLength: 1, maxLength: 300 });
    fc.assert(fc.property(fc.oneof(ids.map((list) => [list]), fc.array(ids, { minLength: 1, maxLength: 8 })), fc.boolean(), (lists, flat) => {
      const input = flat ? (lists[0] as number[]) : lists;
      const tokens = flat ? (lists[0] as number[]).length : lists.reduce((sum, list) => sum + list.length, 0);
      const inputs = flat ? 1 : lists.length;
      expect(read(asked(input)).inputBound).toBeGreaterThanOrEqual(tokens + 2 * inputs);
    }));
  });

  test("of texts is never below their bytes, with room around each", () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 50 }), (texts) => {
      const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);
      expect(read(asked(texts)).inputBound).toBeGreaterThanOrEqual(size);
    }));
  });
});

describe("2.2 what has no upper bound is named", () => {
  test.each([
    ["an image", asked([{ image: "https://example.com/a.png" }]), "input[0]"],
    ["an object beside texts", asked(["a", { text: "b" }]), "input[1]"],
    ["texts in a token list", asked([[1, "a"]]), "input[0]"],
    ["an object as input", asked({ text: "a" }), "input"],
    ["an unknown member", asked("a", { images: [] }), "images"],
    ["a stored prompt", asked("a", { prompt_name: "query" }), "prompt_name"],
    ["another service tier", asked("a", { service_tier: "priority" }), "service_tier=priority"],
  ])("%s", (_title, body, path) => {
    expect(read(body).unbounded([])).toBe(path);
    expect(read(body).unbounded([path.replaceAll(/\[\d+\]/g, "")])).toBeUndefined();
  });

  test.each([["a text", "a"], ["texts", ["a", "b"]], ["token ids", [1, 2]], ["lists of token ids", [[1], [2, 3]]]])("%s with all known members is bounded", (_title, input) => {
    expect(read(asked(input, { dimensions: 256, encoding_format: "base64", user: "u", metadata: {}, tags: [], input_type: "query", truncate: "END", service_tier: "auto", prompt_name: null })).unbounded([])).toBeUndefined();
  });
});

describe("the usage of embeddings", () => {
  const answer = (name: string) => openaiEmbeddings.plain.read(fixture(name, "embeddings"));

  test.each([["plain.json", 8, "text-embedding-3-small"], ["base64.json", 5, "text-embedding-3-large"], ["mistral.json", 15, "mistral-embed"]])("%s: input alone", (name, quantity, model) => {
    expect(answer(name)).toMatchObject({ usage: [{ dimension: "input", quantity }], problem: undefined, model, complete: true, outputBytes: 0 });
  });

  test.each([["uncounted.json", "missing"], ["negative.json", "negative"], ["inconsistent.json", "inconsistent"]] as const)("5.3 %s is not believed: %s", (name, problem) => {
    expect(answer(name)).toMatchObject({ usage: undefined, problem, complete: true });
  });

  test.each(["cut-off.json", "malformed.json"])("5.3 %s is no whole answer", (name) => {
    expect(answer(name)).toMatchObject({ usage: undefined, problem: "missing", complete: false });
  });

  test.each([["text", "absurd"], [1.5, "fractional"], [1e15, "absurd"]])("5.3 prompt_tokens of %j", (tokens, problem) => {
    expect(openaiEmbeddings.plain.read(bytes({ data: [], usage: { prompt_tokens: tokens, total_tokens: tokens } })).problem).toBe(problem);
  });
});
