import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { openaiResponses } from "../../src/adapters/providers/openai/responses/dialect.ts";

const DIALECTS = { chat: openaiChat, responses: openaiResponses };
const EVENTS = {
  chat: ['data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}', 'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}', "data: [DONE]"],
  responses: ['data: {"type":"response.created","response":{"id":"r","model":"m"}}', 'data: {"type":"response.output_text.delta","delta":"Hi"}', 'data: {"type":"response.completed","response":{"id":"r","model":"m","status":"completed","output":[],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}'],
};

test("a blank line too many between events, before them and at the end, never makes a reader of streams spin", () => {
  // In a process of its own: a loop without end cannot be stopped from inside.
  const program = `
    import { openaiChat } from ${JSON.stringify(new URL("../../src/adapters/providers/openai/chat/dialect.ts", import.meta.url).href)};
    import { openaiResponses } from ${JSON.stringify(new URL("../../src/adapters/providers/openai/responses/dialect.ts", import.meta.url).href)};
    const event = 'data: {"type":"response.output_text.delta","delta":"Hi"}';
    for (const dialect of [openaiChat, openaiResponses]) for (const withholdUsage of [true, false]) for (let before = 0; before < 5; before += 1) for (let after = 0; after < 6; after += 1) {
      const reader = dialect.stream({ withholdUsage });
      const bytes = Buffer.from("\\n".repeat(before) + event + "\\n".repeat(after));
      reader.push(bytes, () => {});
      reader.push(bytes, () => {});
      reader.release();
    }
    console.log("through");
  `;
  const { stdout, error } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", timeout: 20_000 });
  expect([error, stdout.trim()]).toEqual([undefined, "through"]);
});

test.each(["chat", "responses"] as const)("%s: with any blank lines between its events a stream costs the same, and its bytes pass untouched up to the closing event", (name) => {
  const blank = fc.constantFrom("\n\n", "\n\n\n", "\n\n\n\n", "\n\n\n\n\n", "\r\n\r\n", "\r\n\r\n\r\n", "\n\n: ping\n\n\n");
  fc.assert(fc.property(fc.tuple(blank, blank, blank), fc.constantFrom("", "\n", "\n\n", "\n\n\n"), fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 8 }), (gaps, start, cuts) => {
    const text = start + EVENTS[name].map((event, at) => event + (gaps[at] as string)).join("");
    const bytes = Buffer.from(text);
    const reader = DIALECTS[name].stream({ withholdUsage: false });
    const heard: Uint8Array[] = [];
    let from = 0;
    for (const end of [...[...new Set(cuts)].filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
      const done = reader.push(bytes.subarray(from, end), (piece) => heard.push(Buffer.from(piece)));
      from = end;
      if (done) break;
    }
    const rest = reader.release();
    const seen = Buffer.concat([...heard, ...(rest === undefined ? [] : [rest])]).toString();
    expect(text.startsWith(seen)).toBe(true);
    expect(seen.includes(EVENTS[name][2] as string)).toBe(true);
    expect(reader.reading()).toMatchObject({ complete: true, usage: [{ dimension: "input", quantity: 10 }, { dimension: "output", quantity: 5 }] });
  }), { numRuns: 500 });
});
