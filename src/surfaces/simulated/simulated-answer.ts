/** What a request asks of the simulated provider, checked. */
export interface SimulatedRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly choices: number;
  /** The smaller of the declared caps, tokens of each choice. */
  readonly cap: number;
}

export interface SimulatedAnswer {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly choices: readonly SimulatedChoice[];
}

export interface SimulatedChoice {
  /** Pieces of the text, in order; the first begins with `[simulated]`. */
  readonly pieces: readonly string[];
  readonly finishReason: "stop" | "length";
}

/** Marks every text, so that no answer can pass for a model's. */
export const SIMULATED_MARK = "[simulated]";

const WORDS = (
  "this answer comes from the simulated provider no model was called and nobody was billed the words have no meaning " +
  "they are here so that budgets prices reports and streams can be tried before a real provider is configured"
).split(" ");
const MOST_CHOICES = 128;

/** @returns the request, or a sentence that says what is wrong with it */
export function readSimulatedRequest(body: Uint8Array): SimulatedRequest | string {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return "The body is not JSON.";
  }
  if (!isObject(value)) return "The body must be a JSON object.";
  const { model, messages, stream, stream_options: streamOptions, n } = value;
  if (typeof model !== "string" || model === "") return "`model` must be the name of a model.";
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isObject)) return "`messages` must be a list of one message or more.";
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") return "`stream` must be true or false.";
  const choices = n ?? 1;
  if (!isCount(choices) || choices > MOST_CHOICES) return `\`n\` must be a whole number from 1 to ${MOST_CHOICES}.`;
  let cap = Infinity;
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    const declared = value[name] ?? undefined;
    if (declared === undefined) continue;
    if (!isCount(declared)) return `\`${name}\` must be a whole number of at least 1.`;
    cap = Math.min(cap, declared);
  }
  return { model, stream: stream === true, includeUsage: isObject(streamOptions) && streamOptions.include_usage === true, choices, cap };
}

/** Invents an answer within the caps. About four bytes make a token, as in the field's rule of thumb. */
export function inventAnswer(request: SimulatedRequest, bodyBytes: number, now: number, random: () => number): SimulatedAnswer {
  let completionTokens = 0;
  const choices = Array.from({ length: request.choices }, () => {
    const wanted = 24 + Math.floor(random() * 96);
    const tokens = Math.min(wanted, request.cap);
    completionTokens += tokens;
    return { pieces: piecesOf(tokens, random), finishReason: tokens < wanted ? ("length" as const) : ("stop" as const) };
  });
  return {
    id: `chatcmpl-simulated-${Math.floor(random() * 2 ** 48).toString(36)}`,
    created: Math.floor(now / 1_000),
    promptTokens: Math.max(1, Math.floor(bodyBytes / 4)),
    completionTokens,
    choices,
  };
}

export function plainBody(request: SimulatedRequest, answer: SimulatedAnswer): string {
  return JSON.stringify({
    id: answer.id,
    object: "chat.completion",
    created: answer.created,
    model: request.model,
    system_fingerprint: "simulated",
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: "assistant", content: choice.pieces.join(""), refusal: null },
      logprobs: null,
      finish_reason: choice.finishReason,
    })),
    usage: usageOf(answer),
  });
}

/** The data of each event of a stream, up to and with `[DONE]`. */
export function* eventsOf(request: SimulatedRequest, answer: SimulatedAnswer): Generator<string> {
  const head = { id: answer.id, object: "chat.completion.chunk", created: answer.created, model: request.model, system_fingerprint: "simulated" };
  const noUsage = request.includeUsage ? { usage: null } : {};
  for (const [index, choice] of answer.choices.entries()) {
    for (const [piece, content] of choice.pieces.entries()) {
      const delta = piece === 0 ? { role: "assistant", content } : { content };
      yield JSON.stringify({ ...head, choices: [{ index, delta, logprobs: null, finish_reason: null }], ...noUsage });
    }
    yield JSON.stringify({ ...head, choices: [{ index, delta: {}, logprobs: null, finish_reason: choice.finishReason }], ...noUsage });
  }
  if (request.includeUsage) yield JSON.stringify({ ...head, choices: [], usage: usageOf(answer) });
  yield "[DONE]";
}

function usageOf(answer: SimulatedAnswer): object {
  return {
    prompt_tokens: answer.promptTokens,
    completion_tokens: answer.completionTokens,
    total_tokens: answer.promptTokens + answer.completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}

/** The mark, then words until the text is about `tokens` times four bytes long. */
function piecesOf(tokens: number, random: () => number): string[] {
  const pieces: string[] = [SIMULATED_MARK];
  let bytes = SIMULATED_MARK.length;
  for (let index = Math.floor(random() * WORDS.length); bytes < tokens * 4; index += 1) {
    const piece = ` ${WORDS[index % WORDS.length]}`;
    pieces.push(piece);
    bytes += piece.length;
  }
  return pieces;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}
