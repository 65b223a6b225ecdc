import type { Dialect } from "../../../../domain/upstream/dialect.ts";
import { EventStreamReader } from "../event-stream.ts";
import { ChatRequest } from "./read-request.ts";
import { plainReader } from "./read-response.ts";
import { StreamMeter } from "./stream-meter.ts";

/** Chat completions as OpenAI speaks them, and every provider that answers in its language. */
export const openaiChat = {
  name: "openai-chat",
  route: "chat_completions",
  read: (body) => new ChatRequest(body),
  plain: plainReader,
  stream: ({ withholdUsage }) => new EventStreamReader(new StreamMeter(), withholdUsage),
} satisfies Dialect;
