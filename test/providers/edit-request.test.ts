import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import type { RequestEdit } from "../../src/domain/upstream/dialect.ts";

const NOTHING: RequestEdit = { capField: "max_tokens", includeUsage: false };

function edited(body: string, edit: Partial<RequestEdit>): string {
  return Buffer.from(openaiChat.read(Buffer.from(body)).edit({ ...NOTHING, ...edit })).toString();
}

describe("9.1 an edit changes its own members and nothing else", () => {
  test("no edit hands the very same bytes on", () => {
    const body = Buffer.from('{"model":"m","messages":[{}],"max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}');
    const request = openaiChat.read(body);
    expect(request.edit(NOTHING)).toBe(body);
    expect(request.edit({ model: "m", cap: 5, capField: "max_tokens", includeUsage: true })).toBe(body);
  });

  test("the model is replaced in its place", () => {
    expect(edited('{ "messages":[{"model":"x"}],\n "model" : "a" }', { model: 'b"ü' })).toBe('{ "messages":[{"model":"x"}],\n "model" : "b\\"ü" }');
  });

  test("both declared caps are lowered, one that is lower stays", () => {
    const body = '{"model":"m","messages":[{}],"max_tokens":50,"max_completion_tokens":7}';
    expect(edited(body, { cap: 10 })).toBe('{"model":"m","messages":[{}],"max_tokens":10,"max_completion_tokens":7}');
    expect(edited(body, { cap: 5 })).toBe('{"model":"m","messages":[{}],"max_tokens":5,"max_completion_tokens":5}');
  });

  test.each(["max_tokens", "max_completion_tokens"] as const)("a cap is added as %s where none is declared", (capField) => {
    const result = JSON.parse(edited('{"model":"m","messages":[{}]}', { cap: 10, capField })) as unknown;
    expect(result).toEqual({ model: "m", messages: [{}], [capField]: 10 });
  });

  test("a cap of null counts as none, and no member comes to stand twice", () => {
    const result = openaiChat.read(Buffer.from(edited('{"model":"m","messages":[{}],"max_tokens":null}', { cap: 10 })));
    expect(result.declaredCap).toBe(10);
  });

  test.each([
    ['{"model":"m","messages":[{}],"stream":true}', { include_usage: true }],
    ['{"model":"m","messages":[{}],"stream":true,"stream_options":null}', { include_usage: true }],
    ['{"model":"m","messages":[{}],"stream":true,"stream_options":{ }}', { include_usage: true }],
    ['{"model":"m","messages":[{}],"stream":true,"stream_options":{"a":[1]}}', { a: [1], include_usage: true }],
    ['{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":false,"a":1}}', { include_usage: true, a: 1 }],
    ['{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":null}}', { include_usage: true }],
  ])("9.2 usage is asked for: %s", (body, options) => {
    const result = JSON.parse(edited(body, { includeUsage: true })) as Record<string, unknown>;
    expect(result).toEqual({ ...(JSON.parse(body) as object), stream_options: options });
  });

  const space = fc.constantFrom("", " ", "\n\t", "  ");
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: "grapheme" }), fc.constant('}"\\,{'));
  const extra = fc.dictionary(fc.string({ unit: "grapheme", maxLength: 8 }).map((name) => `x${name}`), value, { maxKeys: 5 });
  const count = fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined });

  /** JSON text with odd white space between members, in any order. */
  function render(members: readonly (readonly [string, unknown])[], gap: string): string {
    return `${gap}{${members.map(([name, item]) => `${gap}${JSON.stringify(name)}${gap}:${gap}${JSON.stringify(item)}${gap}`).join(",")}}${gap}`;
  }

  test("an edited body says what the old one said, but for the edited members, and every other value is byte-identical", () => {
    fc.assert(fc.property(extra, count, count, count, fc.boolean(), space, fc.nat(), (others, low, high, cap, stream, gap, turn) => {
      const members: [string, unknown][] = [...Object.entries(others), ["model", "mödel"], ["messages", [{ role: "user", content: 'ü "{' }]], ["stream", stream]];
      if (low !== undefined) members.push(["max_tokens", low]);
      if (high !== undefined) members.push(["max_completion_tokens", high]);
      const at = turn % members.length;
      const text = render([...members.slice(at), ...members.slice(0, at)], gap);
      const after = edited(text, { model: "other", ...(cap === undefined ? {} : { cap }), includeUsage: true });
      const expected: Record<string, unknown> = { ...(JSON.parse(text) as object), model: "other" };
      if (cap !== undefined) {
        if (low === undefined && high === undefined) expected["max_tokens"] = cap;
        if (low !== undefined) expected["max_tokens"] = Math.min(low, cap);
        if (high !== undefined) expected["max_completion_tokens"] = Math.min(high, cap);
      }
      if (stream) expected["stream_options"] = { include_usage: true };
      expect(JSON.parse(after)).toEqual(expected);
      // Undo the edits as text: what is left must be the old body, byte for byte.
      let undone = after;
      if (stream) undone = undone.replace('"stream_options":{"include_usage":true},', "");
      if (cap !== undefined && low === undefined && high === undefined) undone = undone.replace(`"max_tokens":${cap},`, "");
      undone = undone.replace(/("model"\s*:\s*)"other"/, (_all, before: string) => `${before}"mödel"`);
      if (low !== undefined) undone = undone.replace(/("max_tokens"\s*:\s*)\d+/, (_all, before: string) => before + String(low));
      if (high !== undefined) undone = undone.replace(/("max_completion_tokens"\s*:\s*)\d+/, (_all, before: string) => before + String(high));
      expect(undone).toBe(text);
    }));
  });
});
