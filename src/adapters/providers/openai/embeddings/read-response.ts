import { PlainAnswerReader } from "../plain-answer.ts";
import { readUsage } from "./read-usage.ts";

/** An answer with embeddings: vectors are no output that is paid for. */
export const plainReader = new PlainAnswerReader({ output: "data", outputBytes: () => 0, readUsage });
