import { isObject, parseOrUndefined, type JsonObject } from "../json.ts";
import { PlainAnswerReader, textBytes } from "../plain-answer.ts";
import { readUsage } from "./read-usage.ts";

/** A plain chat completion. */
export const plainReader = new PlainAnswerReader({ output: "choices", outputBytes: outputBytesOf, readUsage });

/** Bytes of generated text: content, refusal, reasoning and the arguments of calls. */
function outputBytesOf(choices: string): number {
  const parsed = parseOrUndefined(choices);
  if (!Array.isArray(parsed)) return Buffer.byteLength(choices);
  let bytes = 0;
  for (const choice of parsed as readonly unknown[]) {
    const message = isObject(choice) ? choice["message"] : undefined;
    if (isObject(message)) bytes += messageBytes(message);
  }
  return bytes;
}

function messageBytes(message: JsonObject): number {
  let bytes = textBytes(message["content"]) + textBytes(message["refusal"]) + textBytes(message["reasoning_content"] ?? message["reasoning"]);
  const calls: readonly unknown[] = Array.isArray(message["tool_calls"]) ? message["tool_calls"] : [];
  for (const call of [...calls, { function: message["function_call"] }]) {
    const called = isObject(call) ? call["function"] : undefined;
    if (isObject(called)) bytes += textBytes(called["name"]) + textBytes(called["arguments"]);
  }
  return bytes;
}
