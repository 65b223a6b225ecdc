import type { Dialect } from "../../../../domain/upstream/dialect.ts";
import { EventStreamReader } from "../event-stream.ts";
import { ResponsesRequest } from "./read-request.ts";
import { plainReader } from "./read-response.ts";
import { StreamMeter } from "./stream-meter.ts";

/** OpenAI's Responses API, and every provider that speaks it. */
export const openaiResponses = {
  name: "openai-responses",
  route: "responses",
  read: (body) => new ResponsesRequest(body),
  plain: plainReader,
  stream: ({ withholdUsage }) => new EventStreamReader(new StreamMeter(), withholdUsage),
} satisfies Dialect;
