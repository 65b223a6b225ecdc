import type { CallType } from "../call-record.ts";

/** What a request costs money for, told by its path alone: compatible servers stand on any host. */
export type Billable =
  | { readonly kind: "read"; readonly type: CallType }
  /** It costs money, and nothing here can say how much. */
  | { readonly kind: "unread"; readonly route: string };

const READ: readonly (readonly [RegExp, CallType])[] = [
  [/\/chat\/completions$/, "completion"],
  [/\/embeddings$/, "embedding"],
  [/\/responses$/, "responses"],
];
const UNREAD = /\/(completions|images\/(?:generations|edits|variations)|audio\/(?:speech|transcriptions|translations)|videos|rerank|messages|batches|fine_tuning\/jobs|responses\/compact)$|:(?:generateContent|streamGenerateContent|embedContent|batchEmbedContents)$/;

/** `undefined`: it costs nothing, or is nothing of ours. @example billable("POST", "/v1/chat/completions") // { kind: "read", type: "completion" } */
export function billable(method: string, path: string): Billable | undefined {
  if (method !== "POST") return undefined;
  const plain = path.replace(/\/+$/, "");
  for (const [pattern, type] of READ) if (pattern.test(plain)) return { kind: "read", type };
  const unread = UNREAD.exec(plain);
  return unread === null ? undefined : { kind: "unread", route: (unread[1] ?? unread[0].slice(1)).replaceAll("/", "_") };
}
