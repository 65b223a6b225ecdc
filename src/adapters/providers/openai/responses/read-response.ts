import { isObject, parseOrUndefined } from "../json.ts";
import { PlainAnswerReader, textBytes } from "../plain-answer.ts";
import { readUsage } from "./read-usage.ts";

/** A plain response. */
export const plainReader = new PlainAnswerReader({ output: "output", outputBytes: outputBytesOf, readUsage });

/** Bytes of what was generated: contents, summaries, hidden reasoning and the arguments of calls. */
function outputBytesOf(output: string): number {
  const parsed = parseOrUndefined(output);
  if (!Array.isArray(parsed)) return Buffer.byteLength(output);
  let bytes = 0;
  for (const item of parsed as readonly unknown[]) {
    if (!isObject(item)) continue;
    for (const name of ["content", "summary", "encrypted_content", "name", "arguments", "input"]) bytes += textBytes(item[name]);
  }
  return bytes;
}
