import type { Dialect } from "../../../domain/upstream/dialect.ts";
import { readRequest } from "./read-request.ts";
import { plainReader } from "./read-response.ts";
import { ChatStreamReader } from "./read-stream.ts";

/** Chat completions as OpenAI speaks them, and every provider that answers in its language. */
export const openaiChat: Dialect = {
  name: "openai-chat",
  read: readRequest,
  plain: plainReader,
  stream: ({ withholdUsage }) => new ChatStreamReader(withholdUsage),
};
