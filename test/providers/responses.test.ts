import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openaiResponses } from "../../src/adapters/providers/openai/responses/dialect.ts";
import type { RequestEdit } from "../../src/domain/upstream/dialect.ts";
import { fixture, listen, type Heard } from "./fixtures.ts";

const bytes = (body: unknown): Buffer => Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
const read = (body: unknown) => openaiResponses.read(bytes(body));
const asked = (more: object = {}): object => ({ model: "gpt-4o-mini", input: "Hi", ...more });
const lines = (input: number, output: number, more: object[] = []): object[] => [{ dimension: "input", quantity: input }, { dimension: "output", quantity: output }, ...more];

describe("a request of the Responses API", () => {
  test("says model, stream, cap, customer, tags and metadata", () => {
    expect(read(asked({ stream: true, max_output_tokens: 20, user: "u", tags: ["a"], metadata: { tags: ["b"] } }))).toMatchObject({
      model: "gpt-4o-mini", stream: true, declaredCap: 20, choices: 1, user: "u", tags: ["a", "b"],
    });
    expect(read(asked({ stream: null, max_output_tokens: null }))).toMatchObject({ stream: false, declaredCap: undefined });
  });

  test.each<[string, unknown]>([
    ["model", ""], ["input", 7], ["input", {}], ["stream", "true"], ["max_output_tokens", 0], ["max_output_tokens", 1.5], ["max_output_tokens", "9"], ["user", 7], ["metadata", []], ["tags", "a"],
  ])("400 invalid_request: %s = %j", (param, value) => {
    expect(() => read(asked({ [param]: value }))).toThrow(expect.objectContaining({ code: "invalid_request", param }));
  });

  test.each([
    ["invalid_json", '{"model":"m","input":"x"'], ["duplicate_member", '{"model":"m","max_output_tokens":1,"max_output_tokens":99999}'],
    ["forbidden_member", '{"model":"m","input":[{"__proto__":1}]}'], ["body_too_deep", `{"model":"m","input":${"[".repeat(70)}${"]".repeat(70)}}`],
  ])("400 %s, as for every dialect", (code, body) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code }));
  });
});

describe("9.1 an edit changes its own members and nothing else", () => {
  const edited = (body: string, edit: Partial<RequestEdit>): string => Buffer.from(read(body).edit({ capField: "max_completion_tokens", includeUsage: true, ...edit })).toString();

  test("the cap is max_output_tokens: added, lowered, filled in, or left alone", () => {
    expect(edited('{"model":"m","input":"x"}', { cap: 100 })).toBe('{"max_output_tokens":100,"model":"m","input":"x"}');
    expect(edited('{"model":"m", "max_output_tokens" : 500,"input":"x"}', { cap: 100 })).toBe('{"model":"m", "max_output_tokens" : 100,"input":"x"}');
    expect(edited('{"model":"m","input":"x","max_output_tokens":null}', { cap: 100 })).toBe('{"model":"m","input":"x","max_output_tokens":100}');
    expect(edited('{"model":"m","input":"x","max_output_tokens":50}', { cap: 100 })).toBe('{"model":"m","input":"x","max_output_tokens":50}');
  });

  test("the model is replaced in its place; a stream gets no stream_options", () => {
    expect(edited('{"input":[{"model":"x"}],"model":"a","stream":true}', { model: "b" })).toBe('{"input":[{"model":"x"}],"model":"b","stream":true}');
    const body = bytes(asked({ stream: true }));
    expect(openaiResponses.read(body).edit({ capField: "max_tokens", includeUsage: true })).toBe(body);
  });
});

describe("2.2 what has no upper bound is named", () => {
  const item = (value: object): object => asked({ input: [{ role: "user", content: "Hi" }, value] });
  test.each([
    ["the response before", asked({ previous_response_id: "resp_1" }), "previous_response_id"],
    ["a conversation", asked({ conversation: "conv_1" }), "conversation"],
    ["a stored prompt", asked({ prompt: { id: "pmpt_1" } }), "prompt"],
    ["work in the background", asked({ background: true }), "background"],
    ["compaction", asked({ context_management: [{ type: "compaction" }] }), "context_management"],
    ["another service tier", asked({ service_tier: "priority" }), "service_tier=priority"],
    ["several answers at once", asked({ reasoning: { effort: "high", mode: "pro" } }), "reasoning.mode"],
    ["an unknown member", asked({ surprise: 1 }), "surprise"],
    ["web search", asked({ tools: [{ type: "function", name: "f" }, { type: "web_search" }] }), "tools[1].type=web_search"],
    ["a remote server", asked({ tools: [{ type: "mcp", server_url: "https://example.com" }] }), "tools[0].type=mcp"],
    ["code", asked({ tools: [{ type: "code_interpreter", container: { type: "auto" } }] }), "tools[0].type=code_interpreter"],
    ["a picture", item({ role: "user", content: [{ type: "input_text", text: "x" }, { type: "input_image", image_url: "https://example.com/a.png" }] }), "input[1].content[1].type=input_image"],
    ["a file", item({ type: "message", role: "user", content: [{ type: "input_file", file_id: "file_1" }] }), "input[1].content[0].type=input_file"],
    ["an item by reference", item({ type: "item_reference", id: "msg_1" }), "input[1].type=item_reference"],
    ["an item by its id alone", item({ id: "msg_1" }), "input[1]"],
    ["reasoning by its id", item({ type: "reasoning", id: "rs_1", summary: [] }), "input[1].type=reasoning"],
    ["a picture from a tool", item({ type: "function_call_output", call_id: "c", output: [{ type: "input_image" }] }), "input[1].output[0].type=input_image"],
    ["a screenshot", item({ type: "computer_call_output", call_id: "c", output: { type: "computer_screenshot" } }), "input[1].type=computer_call_output"],
    ["instructions that are items", asked({ instructions: [{ type: "item_reference", id: "x" }] }), "instructions"],
  ])("%s", (_title, body, path) => {
    expect(read(body).unbounded([])).toBe(path);
    const plain = path.startsWith("service_tier") ? "service_tier" : path.replaceAll(/\[\d+\]/g, "");
    expect(read(body).unbounded([plain])).toBeUndefined();
  });

  test("a member that stands twice inside an item hides nothing", () => {
    expect(read('{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}],"content":"x"}]}').unbounded([])).toMatch(/^input/);
    expect(read('{"model":"m","input":"x","tools":[{"type":"web_search","type":"function"}]}').unbounded([])).toMatch(/^tools/);
  });

  test("a conversation of text, calls, their results and encrypted reasoning is bounded", () => {
    const body = asked({
      instructions: "Be short.", max_output_tokens: 9, temperature: 1, top_p: 1, top_logprobs: 2, stream: true, stream_options: { include_obfuscation: false }, user: "u",
      metadata: {}, tags: [], text: { format: { type: "json_schema", name: "a", schema: {} }, verbosity: "low" }, tool_choice: "auto", parallel_tool_calls: true, max_tool_calls: 3,
      store: false, include: ["reasoning.encrypted_content"], truncation: "disabled", safety_identifier: "s", prompt_cache_key: "k", prompt_cache_retention: "24h",
      reasoning: { effort: "low", summary: "auto", mode: "standard" }, service_tier: "default", background: false, previous_response_id: null, conversation: null, prompt: null,
      tools: [{ type: "function", name: "f", parameters: {} }, { type: "custom", name: "g" }],
      input: [
        { role: "system", content: "You help." }, { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" },
        { id: "msg_1", type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello", annotations: [] }, { type: "refusal", refusal: "no" }] },
        { type: "function_call", call_id: "c", name: "f", arguments: "{}" }, { type: "function_call_output", call_id: "c", output: "3" },
        { type: "custom_tool_call", call_id: "d", name: "g", input: "x" }, { type: "custom_tool_call_output", call_id: "d", output: [{ type: "input_text", text: "y" }] },
      ],
    });
    expect(read(body).unbounded([])).toBeUndefined();
    expect(read(body).inputBound).toBeGreaterThanOrEqual(bytes(body).length + 8 * 8 + 500);
  });
});

describe("a plain response", () => {
  const answer = (name: string) => openaiResponses.plain.read(fixture(name, "responses"));

  test.each([
    ["plain.json", lines(19, 10), "gpt-4o-mini-2024-07-18"],
    ["cached.json", lines(86, 300, [{ dimension: "cache_read", quantity: 1_920 }]), "gpt-5-2025-08-07"],
    ["reasoning.json", lines(75, 162, [{ dimension: "reasoning", quantity: 1_024 }]), "o4-mini-2025-04-16"],
    ["tools.json", lines(82, 17), "gpt-4.1-2025-04-14"],
    ["incomplete.json", lines(19, 16), "gpt-4o-mini-2024-07-18"],
    ["web-search.json", lines(8_000, 20, [{ dimension: "web_search", quantity: 2 }]), "gpt-4.1-2025-04-14"],
  ])("%s", (name, usage, model) => {
    expect(answer(name)).toMatchObject({ usage, problem: undefined, model, complete: true, responseId: expect.stringMatching(/^resp_/) });
    expect(JSON.parse(answer(name).rawUsage ?? "")).toHaveProperty("total_tokens");
  });

  test.each([
    ["negative.json", "negative", true], ["inconsistent.json", "inconsistent", true], ["queued.json", "missing", true],
    ["file-search.json", "missing", true], ["failed.json", "missing", false], ["cut-off.json", "missing", false], ["malformed.json", "missing", false],
  ] as const)("5.3 %s: %s", (name, problem, complete) => {
    expect(answer(name)).toMatchObject({ usage: undefined, problem, complete });
  });

  test("the text of an answer is an upper bound of its tokens", () => {
    expect(answer("plain.json").outputBytes).toBeGreaterThanOrEqual(Buffer.byteLength('Größe "usage": {}'));
    expect(answer("tools.json").outputBytes).toBeGreaterThanOrEqual(20);
  });
});

describe("a streamed response", () => {
  const play = (name: string): Heard => listen([fixture(name, "responses")], true, openaiResponses);

  test.each(["streamed.sse", "streamed-returns.sse", "streamed-done.sse"])("%s: every byte passes, the closing event only once its cost is known", (name) => {
    const text = fixture(name, "responses").toString("latin1");
    const heard = play(name);
    expect(heard.forwarded + heard.released).toBe(text);
    expect(heard.released).toMatch(/^event: response\.completed/);
    expect(heard).toMatchObject({ closed: true, before: { usage: lines(9, 4), problem: undefined, complete: true, model: "gpt-4o-mini-2024-07-18", responseId: "resp_streamed" } });
    expect(JSON.parse(heard.before.rawUsage ?? "")).toMatchObject({ total_tokens: 13 });
  });

  test("reasoning and calls are counted; what was generated bounds their tokens", () => {
    const { before } = play("streamed-reasoning-tools.sse");
    expect(before).toMatchObject({ usage: lines(52, 26, [{ dimension: "cache_read", quantity: 2_048 }, { dimension: "reasoning", quantity: 64 }]), complete: true });
    expect(before.outputBytes).toBeGreaterThanOrEqual(240);
  });

  test("an answer that ended at its cap is whole", () => {
    expect(play("streamed-incomplete.sse")).toMatchObject({ closed: true, before: { usage: lines(9, 16), complete: true } });
  });

  test.each([["streamed-cut-off.sse", false], ["streamed-failed.sse", true], ["streamed-error.sse", false]] as const)("5.3 %s: no usage, not complete", (name, closed) => {
    const heard = play(name);
    expect(heard.forwarded + heard.released).toBe(fixture(name, "responses").toString("latin1"));
    expect(heard).toMatchObject({ closed, before: { usage: undefined, problem: "missing", complete: false } });
  });

  test("a tool whose schema looks like an event changes nothing", () => {
    const text = fixture("streamed.sse", "responses").toString().replaceAll('"tools":[]', '"tools":[{"type":"function","parameters":{"type":"a.delta","x":{"type":"response.output_item.done"},"y":{"type":"error"}}}]');
    expect(listen([Buffer.from(text)], true, openaiResponses)).toMatchObject({ closed: true, before: { usage: lines(9, 4), complete: true } });
  });

  test("the cut of a stream into chunks changes nothing", () => {
    const names = ["streamed.sse", "streamed-returns.sse", "streamed-cut-off.sse", "streamed-failed.sse", "streamed-error.sse", "streamed-reasoning-tools.sse", "streamed-done.sse"];
    fc.assert(fc.property(fc.constantFrom(...names), fc.array(fc.nat(), { maxLength: 12 }), fc.nat(200), (name, cuts, lost) => {
      const all = fixture(name, "responses");
      const sent = all.subarray(0, all.length - lost);
      const offsets = [0, ...cuts.map((cut) => cut % (sent.length + 1)).sort((left, right) => left - right), sent.length];
      const pieces = offsets.slice(1).map((end, index) => sent.subarray(offsets[index], end));
      expect(listen(pieces, true, openaiResponses)).toEqual(listen([sent], true, openaiResponses));
    }), { numRuns: 400 });
  });
});
