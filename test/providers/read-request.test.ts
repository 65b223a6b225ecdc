import { describe, expect, test } from "vitest";
import { TollgateError } from "../../src/base/errors.ts";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";

const MESSAGES = [{ role: "user", content: "Hi" }];

function bytes(body: unknown): Buffer {
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function refusal(body: Uint8Array): { code: string; param: string | undefined } {
  try {
    openaiChat.read(body);
  } catch (error) {
    if (error instanceof TollgateError) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error("The body was accepted.");
}

function withMember(name: string, value: unknown): Buffer {
  return bytes({ model: "gpt-4o-mini", messages: MESSAGES, [name]: value });
}

function nested(depth: number): string {
  return `{"model":"m","messages":[{"role":"user","content":"x"}],"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
}

describe("a body that is no request is refused with its code", () => {
  test.each([
    ["nothing", Buffer.alloc(0), "invalid_json"],
    ["a cut-off object", bytes('{"model":"m","messages":[{'), "invalid_json"],
    ["text after the object", bytes('{"model":"m","messages":[{}]} x'), "invalid_json"],
    ["a trailing comma", bytes('{"model":"m","messages":[{}],}'), "invalid_json"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), "invalid_json"],
    ["an array", bytes("[]"), "invalid_request"],
    ["null", bytes("null"), "invalid_request"],
    ["a text", bytes('"model"'), "invalid_request"],
    ["a member that stands twice", bytes('{"model":"a","messages":[{}],"model":"b"}'), "duplicate_member"],
    ["a member that stands twice, once escaped", bytes('{"model":"a","messages":[{}],"m\\u006fdel":"b"}'), "duplicate_member"],
    ["__proto__ at the top", bytes('{"model":"a","messages":[{}],"__proto__":{}}'), "forbidden_member"],
    ["__proto__ deep inside", bytes('{"model":"a","messages":[{"a":[{"__proto__":1}]}]}'), "forbidden_member"],
    ["__proto__ with an escape", bytes('{"model":"a","messages":[{"\\u005f_proto__":1}]}'), "forbidden_member"],
    ["__proto__ with another escape", bytes('{"model":"a","messages":[{"__pr\\u006Fto__":1}]}'), "forbidden_member"],
    ["depth 65", bytes(nested(65)), "body_too_deep"],
    ["a nesting bomb without an end", bytes("[".repeat(1_000_000)), "body_too_deep"],
    ["a nesting bomb in a member", bytes(`{"a":${'{"a":'.repeat(500_000)}`), "body_too_deep"],
  ])("10.2 %s", (_title, body, code) => {
    expect(refusal(body).code).toBe(code);
  });

  test("10.2 __proto__ is found with any of its letters escaped, in either case", () => {
    for (let index = 0; index < "__proto__".length; index++) {
      const code = "__proto__".charCodeAt(index).toString(16).padStart(4, "0");
      for (const escape of [code, code.toUpperCase()]) {
        const name = `${"__proto__".slice(0, index)}\\u${escape}${"__proto__".slice(index + 1)}`;
        expect(refusal(bytes(`{"model":"a","messages":[{"${name}":1}]}`)).code).toBe("forbidden_member");
      }
    }
    const all = [..."__proto__"].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
    expect(refusal(bytes(`{"model":"a","messages":[{"${all}":1}]}`)).code).toBe("forbidden_member");
  });

  test.each([
    ['{"secret":"word" "x"}', "at position 17 (line 1 column 18)"],
    ['{"secret":word}', "unexpected token"],
    ['{"secret":"word', "at position 15"],
    ['{"secret":"word\\q"}', "at position 16"],
  ])("%s: says what is wrong and where, without the text", (body, where) => {
    expect(() => openaiChat.read(bytes(body))).toThrow(where);
    expect(() => openaiChat.read(bytes(body))).not.toThrow("word");
  });

  test("10.2 depth 64 is allowed", () => {
    expect(openaiChat.read(bytes(nested(64))).model).toBe("m");
  });

  test("10.2 __proto__ as a value is only text", () => {
    expect(openaiChat.read(withMember("user", "__proto__")).user).toBe("__proto__");
  });
});

describe("a member of a wrong type or value is named", () => {
  test.each<[string, unknown]>([
    ["model", undefined], ["model", null], ["model", ""], ["model", 7], ["model", "m".repeat(257)],
    ["messages", undefined], ["messages", []], ["messages", "Hi"], ["messages", {}],
    ["stream", "true"], ["stream", 1],
    ["n", 0], ["n", 129], ["n", 1.5], ["n", "2"], ["n", -1],
    ["max_tokens", 0], ["max_tokens", -5], ["max_tokens", 1.5], ["max_tokens", "100"], ["max_tokens", 1e300],
    ["max_completion_tokens", 0], ["max_completion_tokens", []], ["max_completion_tokens", true],
    ["stream_options", []], ["stream_options", true],
    ["user", 7], ["user", {}], ["user", "u".repeat(257)], ["user", "ü".repeat(129)],
    ["metadata", []], ["metadata", "x"], ["metadata", { text: "x".repeat(16_400) }],
    ["tags", "a"], ["tags", [1]], ["tags", { a: 1 }],
  ])("%s = %j", (name, value) => {
    expect(refusal(withMember(name, value))).toEqual({ code: "invalid_request", param: name });
  });

  test("a message that is no object is named with its index", () => {
    expect(refusal(withMember("messages", [{}, "Hi"]))).toEqual({ code: "invalid_request", param: "messages[1]" });
  });

  test("metadata.tags is named as such", () => {
    expect(refusal(withMember("metadata", { tags: [1] }))).toEqual({ code: "invalid_request", param: "metadata.tags" });
  });
});

describe("what a request says", () => {
  test("every member the gate needs is read", () => {
    const request = openaiChat.read(bytes({
      model: "gpt-4o-mini", messages: MESSAGES, stream: true, stream_options: { include_usage: true }, n: 3,
      max_tokens: 10, max_completion_tokens: 20, user: "ünal", tags: ["a", "b"], metadata: { tags: ["b", "c"], job: "ü" },
    }));
    expect(request).toMatchObject({ model: "gpt-4o-mini", stream: true, wantsUsage: true, choices: 3, declaredCap: 20, user: "ünal" });
    expect(request.tags).toEqual(["a", "b", "c"]);
    expect(JSON.parse(request.metadata ?? "")).toEqual({ tags: ["b", "c"], job: "ü" });
  });

  test("null means absent", () => {
    const request = openaiChat.read(bytes({
      model: "m", messages: MESSAGES, stream: null, stream_options: null, n: null, max_tokens: null, max_completion_tokens: null,
      user: null, tags: null, metadata: null,
    }));
    expect(request).toMatchObject({ stream: false, wantsUsage: false, choices: 1, declaredCap: undefined, user: undefined, metadata: undefined, tags: [] });
  });

  test("a plain Uint8Array with an offset is read like a Buffer", () => {
    const body = bytes({ model: "m", messages: MESSAGES });
    const padded = new Uint8Array(body.length + 7);
    padded.set(body, 7);
    expect(openaiChat.read(padded.subarray(7)).bytes).toBe(body.length);
  });

  test("2.1 the input bound is the bytes, a constant per message and more for tools", () => {
    const plain = withMember("messages", [...MESSAGES, ...MESSAGES]);
    expect(openaiChat.read(plain).inputBound).toBe(plain.length + 2 * 8 + 16);
    const tools = withMember("tools", [{ type: "function", function: { name: "f" } }]);
    expect(openaiChat.read(tools).inputBound).toBeGreaterThanOrEqual(tools.length + 8 + 16 + 100);
    const functions = withMember("functions", [{ name: "f" }]);
    expect(openaiChat.read(functions).inputBound).toBeGreaterThanOrEqual(functions.length + 8 + 16 + 100);
  });
});

describe("2.2 what has no upper bound is named", () => {
  const unbounded = (body: unknown, boundable: readonly string[] = []): string | undefined => openaiChat.read(bytes(body)).unbounded(boundable);
  const member = (name: string, value: unknown): unknown => ({ model: "m", messages: MESSAGES, [name]: value });
  const part = (type: string): unknown => ({ model: "m", messages: [...MESSAGES, { role: "user", content: [{ type: "text", text: "x" }, { type }] }] });

  test.each([
    ["prediction", member("prediction", { type: "content" }), "prediction"],
    ["an unknown member", member("surprise", 1), "surprise"],
    ["web search", member("web_search_options", {}), "web_search_options"],
    ["another service tier", member("service_tier", "priority"), "service_tier=priority"],
    ["sound as an answer", member("modalities", ["text", "audio"]), "modalities"],
    ["a picture", part("image_url"), "messages[1].content[1].type=image_url"],
    ["sound", part("input_audio"), "messages[1].content[1].type=input_audio"],
    ["a file", part("file"), "messages[1].content[1].type=file"],
    ["earlier sound", member("messages", [{ role: "assistant", audio: { id: "a" } }]), "messages[0].audio"],
    ["a hosted tool", member("tools", [{ type: "function" }, { type: "web_search" }]), "tools[1].type=web_search"],
  ])("%s", (_title, body, path) => {
    expect(unbounded(body)).toBe(path);
  });

  test("everything on the list is bounded", () => {
    const body = {
      model: "m", max_tokens: 1, max_completion_tokens: 1, temperature: 1, top_p: 1, n: 1, stop: ["x"], stream: true, stream_options: {},
      messages: [...MESSAGES, { role: "assistant", content: [{ type: "text", text: "x" }, { type: "refusal", refusal: "no" }] }],
      user: "u", seed: 1, frequency_penalty: 0, presence_penalty: 0, logit_bias: {}, logprobs: true, top_logprobs: 2,
      response_format: { type: "text" }, tools: [{ type: "function", function: { name: "f" } }], tool_choice: "auto", parallel_tool_calls: true,
      functions: [], function_call: "auto", reasoning_effort: "low", verbosity: "low", metadata: {}, store: false, tags: [],
      safety_identifier: "s", prompt_cache_key: "k", prompt_cache_retention: "24h", top_k: 1, min_p: 0, repetition_penalty: 1,
      service_tier: "auto", modalities: ["text"],
    };
    expect(unbounded(body)).toBeUndefined();
    expect(unbounded({ ...body, service_tier: "default" })).toBeUndefined();
    expect(unbounded({ ...body, service_tier: null })).toBeUndefined();
  });

  test("a member that stands twice inside a message hides nothing", () => {
    const body = '{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}],"content":"x"}]}';
    expect(openaiChat.read(bytes(body)).unbounded([])).toBeDefined();
  });

  test("the operator can vouch for more", () => {
    expect(unbounded(member("prediction", {}), ["prediction"])).toBeUndefined();
    expect(unbounded(part("image_url"), ["messages.content.type=image_url"])).toBeUndefined();
    expect(unbounded(part("file"), ["messages.content.type=image_url"])).toBe("messages[1].content[1].type=file");
  });
});
