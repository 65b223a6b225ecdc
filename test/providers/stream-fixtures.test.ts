import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { EVENT_BYTES_MAX } from "../../src/adapters/providers/openai/event-stream.ts";
import { fixture, listen } from "./fixtures.ts";

const TEXT = 'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}';
const END = 'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}';
const USAGE = 'data: {"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}';
const DONE = "data: [DONE]";

const play = (text: string, withholdUsage = true) => listen([Buffer.from(text)], withholdUsage);
const LINES = [{ dimension: "input", quantity: 9 }, { dimension: "output", quantity: 3 }];

describe("a stream is metered as it passes", () => {
  it.each(["streamed.sse", "streamed-returns.sse", "streamed-azure.sse"])("9.2 %s: only the usage event is withheld, from who did not ask", (name) => {
    const bytes = fixture(name);
    const text = bytes.toString("latin1");
    const done = text.indexOf("data: [DONE]");
    const usage = text.lastIndexOf("data: ", done - 1);
    const withheld = listen([bytes], true);
    expect(withheld.forwarded).toBe(text.slice(0, usage));
    expect(withheld.released).toBe(text.slice(done));
    const asked = listen([bytes], false);
    expect(asked.forwarded + asked.released).toBe(text);
    expect(asked.released).toBe(text.slice(done));
    expect(asked.before).toEqual(withheld.before);
    expect(withheld).toMatchObject({ closed: true, before: { complete: true, problem: undefined } });
  });

  it("reads usage, model and id", () => {
    const reading = listen([fixture("streamed.sse")], true).before;
    expect(reading).toMatchObject({
      usage: [{ dimension: "input", quantity: 9 }, { dimension: "output", quantity: 4 }],
      model: "gpt-4o-mini-2024-07-18",
      responseId: "chatcmpl-streamed",
    });
    expect(JSON.parse(reading.rawUsage ?? "")).toMatchObject({ total_tokens: 13 });
    expect(listen([fixture("streamed-azure.sse")], true).before).toMatchObject({ model: "gpt-4o-2024-11-20", responseId: "chatcmpl-azure" });
  });

  it("usage beside choices is never withheld, and the last one counts", () => {
    const bytes = fixture("streamed-cumulative.sse");
    const heard = listen([bytes], true);
    expect(heard.forwarded).toBe(bytes.toString("latin1"));
    expect(heard.before).toMatchObject({ usage: [{ dimension: "input", quantity: 5 }, { dimension: "output", quantity: 3 }], complete: true });
  });

  it("5.3 cut off: what was seen is forwarded, and the answer is not complete", () => {
    const heard = listen([fixture("streamed-cut-off.sse")], true);
    expect(heard).toMatchObject({ closed: false, before: { complete: false, usage: undefined, problem: "missing" } });
    expect(heard.forwarded).toBe(fixture("streamed-cut-off.sse").toString("latin1"));
  });

  it.each([fixture("streamed-error.sse").toString(), `${TEXT}\n\nevent: error\ndata: {"message":"no"}\n\n${USAGE}\n\n${DONE}\n\n`])("5.3 an error in the stream is forwarded, and the answer is not complete (%#)", (text) => {
    const heard = play(text, false);
    expect(heard.forwarded + heard.released).toBe(text);
    expect(heard).toMatchObject({ closed: true, before: { complete: false } });
  });

  it.each<[string, string, object]>([
    ["usage as the last line without its blank line", `${TEXT}\n\n${END}\n\n${USAGE}`, { complete: true, usage: LINES }],
    ["an end cut in the middle", `${TEXT}\n\n${USAGE}\n\n${END.slice(0, -3)}`, { complete: false }],
    ["a closing line without its blank line", `${USAGE}\n\n${DONE}`, { complete: true, usage: LINES }],
    ["nothing", "", { complete: false, problem: "missing", outputBytes: 0, model: undefined }],
    ["events that are no JSON", `data: {"usage": {\n\ndata: nonsense\n\n${DONE}\n\n`, { complete: true, problem: "missing" }],
    ["spaces after colons", `${USAGE.replaceAll(":", ": ")}\n\n${DONE}\n\n`, { complete: true, usage: LINES }],
    ["data over two lines", `data: {"choices":[],\ndata:"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n${DONE}\n\n`, { usage: LINES }],
    ["Groq's own place", `${TEXT}\n\ndata: {"id":"a","choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":3}}}\n\n${DONE}\n\n`, { usage: LINES, rawUsage: '{"prompt_tokens":9,"completion_tokens":3}' }],
    ["Moonshot's own place", `${TEXT}\n\ndata: {"id":"a","choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":3}}]}\n\n${DONE}\n\n`, { usage: LINES }],
    ["zeros before the usage and after it", `${USAGE.replaceAll(/\d+/g, "0")}\n\n${USAGE}\n\n${USAGE.replaceAll(/\d+/g, "0")}\n\n${DONE}\n\n`, { usage: LINES, problem: undefined }],
    ["a lie after believable usage", `${USAGE}\n\n${USAGE.replace("9", "-9")}\n\n${DONE}\n\n`, { usage: undefined, problem: "negative" }],
    ["believable usage after a lie", `${USAGE.replace("9", "-9")}\n\n${USAGE}\n\n${DONE}\n\n`, { usage: LINES, problem: undefined }],
  ])("%s", (_name, text, expected) => {
    expect(play(text).before).toMatchObject(expected);
    expect(play(text).after).toEqual(play(text).before);
  });

  it("9.2 a usage event is withheld even at the very end without its blank line", () => {
    expect(play(`${TEXT}\n\n${USAGE}`)).toMatchObject({ forwarded: `${TEXT}\n\n`, released: "" });
    expect(play(`${TEXT}\n\n${USAGE}`, false)).toMatchObject({ forwarded: `${TEXT}\n\n`, released: USAGE });
  });

  it("counts no fewer output bytes than were generated, and not the frame around each", () => {
    const words = Array.from({ length: 100 }, (_, index) => `word ${index} `);
    const text = words.map((word) => `${TEXT.replace("@", word)}\n\n`).join("");
    const generated = Buffer.byteLength(words.join(""));
    const { outputBytes } = play(text).before;
    expect(outputBytes).toBeGreaterThanOrEqual(generated);
    expect(outputBytes).toBeLessThanOrEqual(generated + 100 * 20);
  });

  it("10.2 an event larger than the limit passes unread, and what follows is metered again", () => {
    const large = `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1},"pad":"${"p".repeat(EVENT_BYTES_MAX)}"}`;
    for (const [after, expected] of [["", { usage: undefined, problem: "missing" }], [`${USAGE}\n\n`, { usage: LINES }]] as const) {
      const text = `${TEXT}\n\n${large}\r\n\r\n${after}${DONE}\n\n`;
      const whole = play(text);
      expect(whole.forwarded).toBe(`${TEXT}\n\n${large}\r\n\r\n`);
      expect(whole.released).toBe(`${DONE}\n\n`);
      expect(whole.before).toMatchObject({ ...expected, complete: true });
      for (const size of [65_536, 1_000_003]) {
        const bytes = Buffer.from(text);
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
        expect(listen(pieces, true)).toEqual(whole);
      }
    }
  });
});

describe("the cut of a stream into chunks changes nothing", () => {
  it("9.2 usage between two plain events is found, whatever ends the lines of a chunk", () => {
    for (const end of ["\n\n", "\r\r", "\r\n\r\n"]) {
      const heard = listen([Buffer.from(`${TEXT}\n\n`), Buffer.from(`${TEXT}${end}${USAGE}${end}${TEXT}\n\n`)], true);
      expect(heard.forwarded).toBe(`${TEXT}\n\n${TEXT}${end}${TEXT}\n\n`);
      expect(heard.before.usage).toEqual(LINES);
    }
  });

  it("what is held back does not depend on the chunk it came in", () => {
    const reader = openaiChat.stream({ withholdUsage: true });
    const seen: string[] = [];
    const chunk = Buffer.from(TEXT);
    reader.push(chunk, (bytes) => seen.push(Buffer.from(bytes).toString()));
    chunk.fill(0);
    reader.push(Buffer.from("\n\n"), (bytes) => seen.push(Buffer.from(bytes).toString()));
    expect(seen).toEqual([`${TEXT}\n\n`]);
  });

  const event = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(TEXT, TEXT.replace("@", "größer 🌍"), TEXT.replace("@", " error [DONE] \\\"usage\\\": {"), TEXT.replace('"index":0', '"index":1'), END) },
    { weight: 2, arbitrary: fc.constantFrom(USAGE, USAGE.replace("9", "-9"), USAGE.replaceAll(":", ": "), TEXT.replace(/}$/, ',"usage":{"prompt_tokens":4,"completion_tokens":1}}')) },
    { weight: 1, arbitrary: fc.constantFrom(": comment", "event: ping", "data: nonsense", 'data: {"error":{"message":"no"}}', "", 'data: {"choices":[],', "data: 1\ndata: 2") },
  );
  const separator = fc.constantFrom("\n\n", "\r\n\r\n", "\r\r");
  const mixed = fc.constantFrom("\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n", "\n\n\n", "\r\n\r", "\r");
  const closing = fc.constantFrom("", DONE, `${DONE}\n\n`, `${DONE}\r\n\r\n`, `${DONE}\r\rafter`, USAGE, END.slice(0, -9));
  const stream = (ends: fc.Arbitrary<string>) => fc.tuple(fc.array(fc.tuple(event, ends), { maxLength: 8 }), closing).map(([events, last]) => events.map(([text, end]) => text + end).join("") + last);
  const streams = fc.oneof(separator.chain((end) => stream(fc.constant(end))), stream(mixed));

  it("the same reading and the same bytes, chopped anywhere", () => {
    fc.assert(fc.property(streams, fc.array(fc.nat(), { maxLength: 12 }), fc.boolean(), (text, cuts, withholdUsage) => {
      const bytes = Buffer.from(text);
      const offsets = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((left, right) => left - right), bytes.length];
      const pieces = offsets.slice(1).map((end, index) => bytes.subarray(offsets[index], end));
      const whole = listen([bytes], withholdUsage);
      expect(listen(pieces, withholdUsage)).toEqual(whole);
      if (!withholdUsage) expect(whole.forwarded + whole.released).toBe(bytes.toString("latin1"));
    }), { numRuns: 3_000 });
  });

  it("the same, byte by byte", () => {
    for (const name of ["streamed.sse", "streamed-returns.sse", "streamed-azure.sse", "streamed-cumulative.sse", "streamed-error.sse"]) {
      const bytes = fixture(name);
      const pieces = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
      expect(listen(pieces, true)).toEqual(listen([bytes], true));
    }
  });
});
