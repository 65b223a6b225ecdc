import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import type { Reading } from "../../src/domain/upstream/dialect.ts";

const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };

function event(members: object, end = "\n\n"): string {
  return `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", model: "gpt-4o-2024-08-06", ...members })}${end}`;
}

const delta = (content: string, finish: string | null = null, end = "\n\n"): string => event({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] }, end);
const usageEvent = (end = "\n\n"): string => event({ choices: [], usage: USAGE }, end);
const DONE = "data: [DONE]\n\n";

interface Heard {
  readonly forwarded: string;
  readonly released: string;
  readonly closed: boolean;
  readonly reading: Reading;
}

/** Plays a stream in the given pieces. */
function play(pieces: readonly Uint8Array[], withholdUsage: boolean): Heard {
  const reader = openaiChat.stream({ withholdUsage });
  const forwarded: Uint8Array[] = [];
  let closed = false;
  for (const piece of pieces) closed = reader.push(piece, (bytes) => forwarded.push(bytes));
  const reading = { ...reader.reading() };
  return { forwarded: Buffer.concat(forwarded).toString(), released: Buffer.from(reader.release() ?? []).toString(), closed, reading };
}

const whole = (text: string, withholdUsage = true): Heard => play([Buffer.from(text)], withholdUsage);

function chop(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((left, right) => left - right);
  return [0, ...at].map((start, index) => Buffer.from(bytes.subarray(start, at[index] ?? bytes.length)));
}

describe("9.2 what the client sees of a stream", () => {
  const text = delta("Hi") + delta("", "stop") + usageEvent() + DONE;

  test("who did not ask for usage never sees it, and all else is untouched", () => {
    const heard = whole(text);
    expect(heard.forwarded).toBe(delta("Hi") + delta("", "stop"));
    expect(heard.released).toBe(DONE);
    expect(heard.reading).toMatchObject({ problem: undefined, model: "gpt-4o-2024-08-06", responseId: "c1", complete: true });
    expect(heard.reading.usage).toEqual([{ dimension: "input", quantity: 9 }, { dimension: "output", quantity: 3 }]);
    expect(JSON.parse(heard.reading.rawUsage ?? "")).toEqual(USAGE);
  });

  test("who asked for usage sees every byte", () => {
    const heard = whole(text, false);
    expect(heard.forwarded + heard.released).toBe(text);
  });

  test.each(["\n", "\r\n", "\r"])("who asked for usage sees every byte, wherever it is cut (lines end with %j)", (line) => {
    const lines = text.replaceAll("\n", line);
    for (let cut = 0; cut <= lines.length; cut++) {
      const heard = play([Buffer.from(lines.slice(0, cut)), Buffer.from(lines.slice(cut))], false);
      // A lone \r may be all of a line's end: nobody waits for what may not come, but what came is passed on.
      expect(heard.forwarded + heard.released, `cut at ${cut}`).toBe(lines);
      expect(heard.reading).toMatchObject({ problem: undefined, complete: true });
    }
  });

  test("usage that comes with choices is read and passes", () => {
    const last = event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: USAGE });
    const heard = whole(delta("Hi") + last + DONE);
    expect(heard.forwarded).toBe(delta("Hi") + last);
    expect(heard.reading.problem).toBeUndefined();
  });

  test("an event with no choices and no usage passes", () => {
    const first = event({ choices: [], prompt_filter_results: [{}] });
    expect(whole(first + delta("Hi") + DONE).forwarded).toBe(first + delta("Hi"));
  });

  test("comments and other fields pass", () => {
    const odd = `: keep-alive\n\nevent: message\nid: 7\nretry: 3\n${delta("Hi")}`;
    expect(whole(odd + DONE).forwarded).toBe(odd);
  });

  test("text that looks like the protocol is only text", () => {
    const odd = delta("Hi") + delta('data: [DONE]\n\n {"usage":{"prompt_tokens":1},"error":{}}') + delta("ünïcode 🚀");
    const heard = whole(odd + usageEvent() + DONE);
    expect(heard.forwarded).toBe(odd);
    expect(heard.reading).toMatchObject({ complete: true, problem: undefined });
  });

  test("an ordinary chunk goes on as the same bytes, uncopied", () => {
    const reader = openaiChat.stream({ withholdUsage: true });
    reader.push(Buffer.from(delta("Hi")), () => undefined);
    const chunk = Buffer.from(delta("you") + delta("there"));
    const seen: Uint8Array[] = [];
    reader.push(chunk, (bytes) => seen.push(bytes));
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBe(chunk);
  });

  test("nothing is seen of the end before it is released, nor of what follows it", () => {
    const reader = openaiChat.stream({ withholdUsage: true });
    let seen = "";
    const forward = (bytes: Uint8Array): void => void (seen += Buffer.from(bytes).toString());
    expect(reader.push(Buffer.from(delta("Hi")), forward)).toBe(false);
    expect(reader.push(Buffer.from(DONE), forward)).toBe(true);
    expect(reader.push(Buffer.from(": after\n\n"), forward)).toBe(true);
    expect(seen).toBe(delta("Hi"));
    expect(Buffer.from(reader.release() ?? []).toString()).toBe(`${DONE}: after\n\n`);
    expect(reader.release()).toBeUndefined();
  });
});

describe("5.3 how a stream ends", () => {
  test("cut short: not complete, no usage, the text seen is bounded", () => {
    const heard = whole(delta("Hi there"));
    expect(heard.reading).toMatchObject({ complete: false, usage: undefined, problem: "missing" });
    expect(heard.reading.outputBytes).toBeGreaterThanOrEqual("Hi there".length);
  });

  test("[DONE] without usage: complete, usage missing", () => {
    expect(whole(delta("Hi", "stop") + DONE).reading).toMatchObject({ complete: true, problem: "missing" });
  });

  test("no [DONE], but a finish and usage: complete", () => {
    expect(whole(delta("Hi", "stop") + usageEvent()).reading).toMatchObject({ complete: true, problem: undefined });
  });

  test("usage without a finish and without [DONE]: not complete", () => {
    expect(whole(delta("Hi") + usageEvent()).reading.complete).toBe(false);
  });

  test("a last event without its line ends counts, and usage in it is still withheld", () => {
    const heard = whole(delta("Hi", "stop") + usageEvent(""));
    expect(heard.reading).toMatchObject({ complete: true, problem: undefined });
    expect(heard.forwarded + heard.released).toBe(delta("Hi", "stop"));
    expect(whole(`${delta("Hi")}data: [DONE]`).reading.complete).toBe(true);
  });

  test.each([
    ["an error object", 'data: {"error":{"message":"overloaded","code":502}}\n\n'],
    ["an error with usage and no choices", 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3},"error":{"message":"overloaded"}}\n\n'],
    ["an error event", 'event: error\ndata: {"message":"overloaded"}\n\n'],
  ])("%s passes, and the answer is not complete even if [DONE] follows", (_title, error) => {
    const heard = whole(delta("Hi") + error + DONE);
    expect(heard.forwarded).toBe(delta("Hi") + error);
    expect(heard.reading.complete).toBe(false);
  });

  test.each([
    ["negative", { prompt_tokens: -1, completion_tokens: 3 }, "negative"],
    ["inconsistent", { prompt_tokens: 1, completion_tokens: 3, total_tokens: 9 }, "inconsistent"],
  ])("usage that is %s is withheld and not believed", (_title, usage, problem) => {
    const heard = whole(delta("Hi", "stop") + event({ choices: [], usage }) + DONE);
    expect(heard.forwarded).toBe(delta("Hi", "stop"));
    expect(heard.reading).toMatchObject({ usage: undefined, problem });
  });

  test("an event above 4 MB passes unread, in one piece or in many", () => {
    const huge = event({ choices: [{ delta: { content: "x".repeat(4.5 * 1024 * 1024) } }], usage: USAGE });
    const text = delta("Hi") + huge;
    const pieces = chop(Buffer.from(text), Array.from({ length: 90 }, (_, index) => index * 51_111));
    for (const heard of [whole(text), play(pieces, true)]) {
      expect(heard.forwarded + heard.released === text).toBe(true);
      expect(heard.reading).toMatchObject({ usage: undefined, problem: "missing", complete: false });
      expect(heard.reading.outputBytes).toBeGreaterThanOrEqual(4.5 * 1024 * 1024);
    }
  });
});

describe("9.2 how a stream is cut into chunks changes nothing", () => {
  const end = fc.constantFrom("\n\n", "\r\n\r\n", "\r\r", "\n\r\n");
  const piece = fc.oneof(
    fc.tuple(fc.string({ unit: "grapheme" }), end).map(([content, after]) => delta(content, null, after)),
    end.map((after) => delta("", "stop", after)),
    end.map((after) => usageEvent(after)),
    end.map((after) => `: keep-alive${after}`),
    end.map((after) => event({ choices: [], x: 1 }, after)),
    end.map((after) => `data: {"error":{"message":"x"}}${after}`),
    fc.constant("\n"),
    fc.constant("data: [DO"),
  );
  const stream = fc.tuple(fc.array(piece, { maxLength: 12 }), fc.constantFrom(DONE, "data: [DONE]\r\n\r\n", "data:[DONE]\n\nrest", "data: [DONE]", "")).map(([events, close]) => events.join("") + close);

  test("the same bytes reach the client and the same usage is read", () => {
    fc.assert(fc.property(stream, fc.array(fc.nat(), { maxLength: 40 }), fc.boolean(), (text, cuts, withholdUsage) => {
      const bytes = Buffer.from(text);
      const once = play([bytes], withholdUsage);
      const chopped = play(chop(bytes, cuts), withholdUsage);
      expect({ ...chopped, reading: { ...chopped.reading } }).toEqual({ ...once, reading: { ...once.reading } });
      if (!withholdUsage) expect(once.forwarded + once.released).toBe(text);
    }), { numRuns: 500 });
  });

  test("byte by byte gives the same", () => {
    fc.assert(fc.property(stream, (text) => {
      const bytes = Buffer.from(text);
      expect(play(Array.from(bytes, (byte) => Buffer.from([byte])), true)).toEqual(play([bytes], true));
    }));
  });
});
