/** A chat request that makes sense. */
export interface ChatRequest {
  readonly model: string;
  /** All text of the messages, in order. */
  readonly prompt: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Output tokens of each choice; the lower one where both caps are given. */
  readonly cap: number | undefined;
  readonly choices: number;
}

export interface Complaint {
  readonly message: string;
  readonly param: string | null;
}

const CHOICES_MAX = 128;

/** Reads and checks the body of a chat request, as a provider would. */
export function readChat(text: string): { readonly chat: ChatRequest } | { readonly complaint: Complaint } {
  const parsed = parseObject(text);
  if ("complaint" in parsed) return parsed;
  const body = parsed.object;
  const { model, messages, stream = false, n = 1 } = body;
  if (typeof model !== "string" || model === "") return complaint("model must be a name.", "model");
  if (!Array.isArray(messages) || messages.length === 0) return complaint("messages must be an array with at least one message.", "messages");
  for (const [index, message] of messages.entries()) {
    if (!isObject(message) || typeof message.role !== "string") return complaint("A message must be an object with a role.", `messages[${index}]`);
  }
  if (stream !== null && typeof stream !== "boolean") return complaint("stream must be true or false.", "stream");
  if (n !== null && !(isPositive(n) && n <= CHOICES_MAX)) return complaint(`n must be a whole number from 1 to ${CHOICES_MAX}.`, "n");
  const caps: number[] = [];
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    const cap = body[name] ?? undefined;
    if (cap === undefined) continue;
    if (!isPositive(cap)) return complaint(`${name} must be a whole number above 0.`, name);
    caps.push(cap);
  }
  const options = body.stream_options ?? undefined;
  if (options !== undefined && (stream !== true || !isObject(options))) return complaint("stream_options is an object and only goes with stream: true.", "stream_options");
  return {
    chat: {
      model,
      prompt: messages.map((message: { content?: unknown }) => textOf(message.content)).join("\n"),
      stream: stream === true,
      includeUsage: isObject(options) && options.include_usage === true,
      cap: caps.length === 0 ? undefined : Math.min(...caps),
      choices: n ?? 1,
    },
  };
}

/** The body as an object. */
export function parseObject(text: string): { readonly object: Record<string, unknown> } | { readonly complaint: Complaint } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return complaint("The body is not valid JSON.", null);
  }
  return isObject(body) ? { object: body } : complaint("The body must be a JSON object.", null);
}

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: unknown) => (isObject(part) && typeof part.text === "string" ? part.text : "")).join("\n");
}

export function isPositive(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function complaint(message: string, param: string | null): { readonly complaint: Complaint } {
  return { complaint: { message, param } };
}
