import { describe, expect, it } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { fixture } from "./fixtures.ts";

const read = (body: Uint8Array | string) => openaiChat.plain.read(typeof body === "string" ? Buffer.from(body) : body);

describe("a plain answer is metered", () => {
  it("plain: model, id, usage as lines and as it came", () => {
    const reading = read(fixture("plain.json"));
    expect(reading.usage).toEqual([{ dimension: "input", quantity: 19 }, { dimension: "output", quantity: 10 }]);
    expect(reading.problem).toBeUndefined();
    expect(reading.complete).toBe(true);
    expect(reading.model).toBe("gpt-4o-mini-2024-07-18");
    expect(reading.responseId).toBe("chatcmpl-CqPlainAnswer0000000001");
    expect(reading.outputBytes).toBe(Buffer.byteLength('Größe "usage": {}'));
    expect(fixture("plain.json").toString()).toContain(reading.rawUsage);
    expect(JSON.parse(reading.rawUsage ?? "")).toMatchObject({ prompt_tokens: 19, total_tokens: 29, completion_tokens_details: { rejected_prediction_tokens: 0 } });
  });

  it("cached tokens are no longer input", () => {
    expect(read(fixture("cached.json")).usage).toEqual([
      { dimension: "input", quantity: 86 }, { dimension: "output", quantity: 300 }, { dimension: "cache_read", quantity: 1920 },
    ]);
  });

  it("reasoning is no longer output", () => {
    expect(read(fixture("reasoning.json")).usage).toEqual([
      { dimension: "input", quantity: 75 }, { dimension: "output", quantity: 162 }, { dimension: "reasoning", quantity: 1024 },
    ]);
  });

  it("arguments of tool calls are output, and what they contain is not usage", () => {
    const reading = read(fixture("tools.json"));
    expect(reading.usage).toEqual([{ dimension: "input", quantity: 82 }, { dimension: "output", quantity: 17 }]);
    expect(reading.outputBytes).toBe(Buffer.byteLength('weather{"city":"Köln","usage":{"prompt_tokens":1}}'));
  });

  it.each([["negative.json", "negative"], ["inconsistent.json", "inconsistent"]])("5.3 %s: complete, and its usage is not believed", (name, problem) => {
    expect(read(fixture(name))).toMatchObject({ usage: undefined, problem, complete: true, model: "gpt-4o-mini" });
    expect(read(fixture(name)).rawUsage).toContain("prompt_tokens");
  });

  it.each(["cut-off.json", "malformed.json"])("5.3 %s: not complete, usage missing even where some was read", (name) => {
    expect(read(fixture(name))).toMatchObject({ usage: undefined, problem: "missing", complete: false, rawUsage: undefined });
  });

  it.each([["", false], ["null", false], ["[]", false], ["{}", true], ['{"usage":null}', true], ['{"usage":[]}', true], ['{"usage":{"prompt_tokens":1}} {}', false], ['{"usage":{"prompt_tokens":1,}}', true], ['{"error":{"message":"no"}}', false], ['{"error":null}', true], ['{"id":7,"model":[]}', true]])(
    "5.3 %j: usage missing, complete %s",
    (body, complete) => {
      expect(read(body)).toMatchObject({ usage: undefined, problem: "missing", complete, model: undefined, responseId: undefined, outputBytes: 0 });
    },
  );

  it("reads names and values spelled with escapes", () => {
    const reading = read('{"mod\\u0065l":"m\\u00e9","id":"ä\\"b","usage":{"prompt_tokens":1,"completion_tokens":1}}');
    expect(reading).toMatchObject({ model: "mé", responseId: 'ä"b', problem: undefined });
  });

  it("every truncation of an answer is incomplete and has no usage", () => {
    const body = fixture("cached.json").toString().trimEnd();
    for (let length = 0; length < body.length; length++) {
      expect(read(body.slice(0, length))).toMatchObject({ complete: false, problem: "missing" });
    }
  });
});
