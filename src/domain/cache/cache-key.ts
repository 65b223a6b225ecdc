/** Changes when what a key is made of changes, so that old answers are no longer found. */
const KEY_VERSION = 1;

/** Members of a body that say who asks and how it is delivered, and nothing about the answer. */
const UNDECIDING: ReadonlySet<string> = new Set(["stream", "user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention"]);
/** Headers that carry credentials, or are new for every request. */
const UNDECIDING_HEADERS: ReadonlySet<string> = new Set(["authorization", "api-key", "x-api-key", "idempotency-key", "traceparent", "tracestate", "x-request-id", "user-agent"]);

/** Everything that decides an answer. */
export interface AnswerIdentity {
  readonly route: string;
  /** Answers are given back as they came: streams as streams. */
  readonly stream: boolean;
  readonly provider: string;
  readonly model: string;
  /** Where it is sent: origin, path and query. */
  readonly address: string;
  /** Set apart by the caller, such as tenants. */
  readonly namespace: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The answer that is given in place of a provider's, if any. */
  readonly mock: unknown;
  /** The request's members; JSON values. */
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * The text whose hash is an answer's key: the same for the same question, whatever the order of its members.
 * @example keyText({ …, body: { b: 1, a: 2 } }) === keyText({ …, body: { a: 2, b: 1 } })
 */
export function keyText({ route, stream, provider, model, address, namespace, headers, mock, body }: AnswerIdentity): string {
  const decidingHeaders = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const).filter(([name]) => !UNDECIDING_HEADERS.has(name));
  const deciding = Object.entries(body).filter(([name]) => !UNDECIDING.has(name));
  return canonicalJson([KEY_VERSION, route, stream, provider, model, address, namespace, Object.fromEntries(decidingHeaders), mock === undefined ? [] : [mock], Object.fromEntries(deciding)]);
}

/** What is answered depends on more than the request says (a conversation that goes on elsewhere), or comes later. */
export function isRepeatable(body: AnswerIdentity["body"]): boolean {
  return (body["conversation"] ?? null) === null && body["background"] !== true;
}

/** JSON with the members of every object in one order. What JSON leaves out is left out here. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`).join(",")}}`;
}
