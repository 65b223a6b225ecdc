import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { inputTokens, outputTokens } from "../../src/domain/usage/usage.ts";
import type { Reading } from "../../src/domain/upstream/dialect.ts";

function answer(usage: unknown, model = "gpt-4o"): Reading {
  return openaiChat.plain.read(Buffer.from(JSON.stringify({ id: "c1", model, choices: [{ message: { content: "Hü" } }], usage })));
}

function lines(reading: Reading): Record<string, number> {
  return Object.fromEntries((reading.usage ?? []).filter((line) => line.quantity > 0).map((line) => [line.dimension, line.quantity]));
}

describe("usage becomes disjoint lines", () => {
  test.each<[string, unknown, Record<string, number>]>([
    ["plain", { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }, { input: 9, output: 3 }],
    ["without a total", { prompt_tokens: 9, completion_tokens: 3 }, { input: 9, output: 3 }],
    ["OpenAI with cache and reasoning",
      { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150, prompt_tokens_details: { cached_tokens: 60, audio_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 0, accepted_prediction_tokens: 4 } },
      { input: 40, cache_read: 60, output: 20, reasoning: 30 }],
    ["sound",
      { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150, prompt_tokens_details: { audio_tokens: 70 }, completion_tokens_details: { audio_tokens: 40 } },
      { input: 30, audio_in: 70, output: 10, audio_out: 40 }],
    ["cache writes",
      { prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 10, cache_write_tokens: 80 } },
      { input: 10, cache_read: 10, cache_write_5m: 80, output: 5 }],
    ["cache writes, the other name",
      { prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { cache_creation_tokens: 80 } },
      { input: 20, cache_write_5m: 80, output: 5 }],
    ["DeepSeek",
      { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 },
      { input: 36, cache_read: 64, output: 5 }],
    ["xAI: reasoning outside the completion",
      { prompt_tokens: 10, completion_tokens: 5, total_tokens: 315, completion_tokens_details: { reasoning_tokens: 300 } },
      { input: 10, output: 5, reasoning: 300 }],
    ["LiteLLM before Anthropic",
      { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105, cache_read_input_tokens: 60, cache_creation_input_tokens: 30, prompt_tokens_details: { cached_tokens: 60, cache_creation_tokens: 30 } },
      { input: 10, cache_read: 60, cache_write_5m: 30, output: 5 }],
    ["Moonshot", { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105, cached_tokens: 64 }, { input: 36, cache_read: 64, output: 5 }],
    ["nothing but reasoning outside", { prompt_tokens: 21, completion_tokens: 0, total_tokens: 81, completion_tokens_details: { reasoning_tokens: 60 } }, { input: 21, reasoning: 60 }],
    ["an image made", { prompt_tokens: 8, completion_tokens: 1300, total_tokens: 1308, completion_tokens_details: { image_tokens: 1290 } }, { input: 8, output: 10, image_out: 1290 }],
    ["searches", { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12, num_search_queries: 2 }, { input: 9, output: 3, web_search: 2 }],
    ["searches, the other name", { prompt_tokens: 9, completion_tokens: 3, server_tool_use: { web_search_requests: 2 } }, { input: 9, output: 3, web_search: 2 }],
    ["details of null", { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: null, completion_tokens_details: null }, { input: 9, output: 3 }],
  ])("%s", (_title, usage, expected) => {
    const reading = answer(usage);
    expect(reading.problem).toBeUndefined();
    expect(lines(reading)).toEqual(expected);
    expect(reading).toMatchObject({ model: "gpt-4o", responseId: "c1", complete: true });
    expect(JSON.parse(reading.rawUsage ?? "")).toEqual(usage);
  });
});

test("Gemini counts its thinking only in the total; it is charged as reasoning", () => {
  const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 108 };
  expect(lines(answer(usage, "gemini-2.5-flash"))).toEqual({ input: 5, output: 3, reasoning: 100 });
  expect(answer(usage, "gpt-4o").problem).toBe("inconsistent");
});

describe("5.3 usage that cannot be believed is never charged", () => {
  test.each<[string, unknown, string]>([
    ["none", undefined, "missing"],
    ["null", null, "missing"],
    ["no completion", { prompt_tokens: 5 }, "missing"],
    ["both zero", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, "missing"],
    ["negative", { prompt_tokens: -1, completion_tokens: 3 }, "negative"],
    ["fractional", { prompt_tokens: 1.5, completion_tokens: 3 }, "fractional"],
    ["absurd", { prompt_tokens: 1, completion_tokens: 10_000_001 }, "absurd"],
    ["a negative part", { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: -2 } }, "negative"],
    ["a fractional part", { prompt_tokens: 5, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 0.5 } }, "fractional"],
    ["more cached than sent", { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 6 } }, "inconsistent"],
    ["more reasoning than output", { prompt_tokens: 5, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 4 } }, "inconsistent"],
    ["a total that is too small", { prompt_tokens: 5, completion_tokens: 3, total_tokens: 7 }, "inconsistent"],
    ["a total that is too large", { prompt_tokens: 5, completion_tokens: 3, total_tokens: 9 }, "inconsistent"],
    ["a total beyond the reasoning outside", { prompt_tokens: 5, completion_tokens: 3, total_tokens: 99, completion_tokens_details: { reasoning_tokens: 7 } }, "inconsistent"],
    ["a text", { prompt_tokens: "5", completion_tokens: 3 }, "absurd"],
    ["a part that is no number", { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: true } }, "absurd"],
    ["a total that is a text", { prompt_tokens: 5, completion_tokens: 3, total_tokens: "8" }, "absurd"],
    ["a fractional total", { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8.5 }, "fractional"],
    ["nothing but a total", { prompt_tokens: 0, completion_tokens: 0, total_tokens: 500 }, "inconsistent"],
    ["cached and sound beyond the prompt", { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 5, audio_tokens: 5 } }, "inconsistent"],
    ["DeepSeek's hits and misses that do not add up", { prompt_tokens: 9, completion_tokens: 3, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 4 }, "inconsistent"],
    ["a negative total", { prompt_tokens: 5, completion_tokens: 3, total_tokens: -8 }, "negative"],
  ])("%s", (_title, usage, problem) => {
    expect(answer(usage)).toMatchObject({ usage: undefined, problem });
  });

  test("an answer that is cut short is neither complete nor believed", () => {
    const whole = JSON.stringify({ id: "c", model: "m", usage: { prompt_tokens: 9, completion_tokens: 3 }, choices: [] });
    for (let length = 0; length < whole.length; length++) {
      expect(openaiChat.plain.read(Buffer.from(whole.slice(0, length)))).toMatchObject({ usage: undefined, problem: "missing", complete: false });
    }
  });

  test("the lines of a believed usage add up to what the provider counted", () => {
    const count = fc.nat({ max: 1000 });
    fc.assert(fc.property(count, count, count, count, count, (prompt, completion, cached, reasoning, audio) => {
      const reading = answer({
        prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion,
        prompt_tokens_details: { cached_tokens: cached }, completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: audio },
      });
      const fits = cached <= prompt && reasoning + audio <= completion && prompt + completion > 0;
      expect(reading.usage !== undefined).toBe(fits);
      if (reading.usage === undefined) return;
      expect(inputTokens(reading.usage)).toBe(prompt);
      expect(outputTokens(reading.usage)).toBe(completion);
    }));
  });
});
