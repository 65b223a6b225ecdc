import type { CallType } from "../call-record.ts";

/** What a request costs money for, told by its path alone: compatible servers stand on any host. */
export type Billable =
  | { readonly kind: "read"; readonly type: CallType }
  /** It costs money, or may, and nothing here can say how much. */
  | { readonly kind: "unread"; readonly route: string };

/** `openai`: OpenAI's own; `provider`: one that is known, or where a provider's client sends to; `any`: who knows. */
export type Host = "openai" | "provider" | "any";

const READ: readonly (readonly [RegExp, CallType])[] = [
  [/\/chat\/completions$/, "completion"],
  [/\/embeddings$/, "embedding"],
  [/\/responses$/, "responses"],
];
const UNREAD = new RegExp([
  "/(completions|edits|images/(?:generations|edits|variations)|audio/(?:speech|transcriptions|translations|voices)|videos(?:/edits|/extensions|/[^/]+/remix)?|rerank|messages|batches|messages/batches|fine_tuning/jobs|responses/compact",
  "|threads/runs|threads/[^/]+/runs|realtime/(?:calls|client_secrets|sessions|transcription_sessions)|vector_stores|vector_stores/[^/]+/(?:search|files|file_batches)|evals/[^/]+/runs|containers|moderations|ocr)$",
  "|:(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents|predict|rawPredict|streamRawPredict)$",
].join(""));
/** Counting tokens, stopping what runs, labelling what was answered. */
const FREE = /\/(?:[^/]+\/(?:cancel|pause)|responses\/input_tokens|messages\/count_tokens|chat\/completions\/[^/]+)$|:countTokens$/;
/** As OpenAI's price list says; others charge for some of them. */
const FREE_AT_OPENAI = /\/(?:moderations|files|uploads(?:\/.*)?|conversations(?:\/.*)?)$/;
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);
/** Parts of a path that name one thing of many say nothing of the route. */
const ID = /^(?=.*\d)[\w.-]{8,}$|^\w+[_-]\w{6,}$/;

/**
 * `undefined`: it costs nothing, or is nothing of ours.
 * @param host whose it is: at a provider, everything that is not known to be free may cost money
 * @example billable("POST", "/v1/chat/completions", "any") // { kind: "read", type: "completion" }
 */
export function billable(method: string, path: string, host: Host): Billable | undefined {
  if (READS.has(method)) return undefined;
  const plain = path.replace(/\/+$/, "");
  if (host === "openai" && FREE_AT_OPENAI.test(plain)) return undefined;
  if (method === "POST") {
    for (const [pattern, type] of READ) if (pattern.test(plain)) return { kind: "read", type };
    const unread = UNREAD.exec(plain);
    if (unread !== null) return { kind: "unread", route: routeName(unread[1] ?? unread[0].slice(1)) };
  }
  if (host === "any" || FREE.test(plain)) return undefined;
  const parts = plain.split("/").filter((part) => part !== "" && !/^v\d\w*$/.test(part));
  return { kind: "unread", route: routeName(parts.slice(-2).join("/")) || "unknown" };
}

function routeName(path: string): string {
  return path.split("/").filter((part) => !ID.test(part)).join("_").slice(0, 64);
}
