import type { AbortSignalLike, SendResult } from "../../domain/alerts/notifier.ts";
import { withoutSecrets } from "./secrets.ts";

export interface Post {
  readonly url: URL;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignalLike;
  /** Beside the address. */
  readonly secrets?: readonly string[] | undefined;
  /** Finds a failure in the text of an answer that says 200. */
  readonly failureIn?: ((text: string) => boolean) | undefined;
}

const ANSWER_BYTES_MAX = 4_096;
const RETRIED: ReadonlySet<number> = new Set([408, 425, 429]);

/** One POST, without redirects, bounded in time and in what is read of the answer. Never rejects. */
export async function postJson({ url, body, headers, timeoutMs, signal, secrets = [], failureIn }: Post): Promise<SendResult> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Error("stopped"));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  const hidden = [url.href, url.pathname + url.search, ...secrets];
  try {
    const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json", "user-agent": "tollgate", ...headers }, redirect: "manual", signal: abort.signal });
    return resultOf(response, withoutSecrets(await beginningOf(response), hidden), failureIn);
  } catch (error) {
    const reason: unknown = abort.signal.aborted ? abort.signal.reason : error;
    return { outcome: "failed", status: null, detail: withoutSecrets(sentenceOf(reason), hidden) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

function resultOf(response: Response, text: string, failureIn: Post["failureIn"]): SendResult {
  const { status } = response;
  const detail = text === "" ? `HTTP ${status}` : `HTTP ${status}: ${text.slice(0, 200)}`;
  if (response.ok && failureIn?.(text) !== true) return { outcome: "sent", status, detail: `HTTP ${status}` };
  if (!response.ok && status < 500 && !RETRIED.has(status)) return { outcome: "refused", status, detail };
  return { outcome: "failed", status, detail, retryAfterMs: retryAfterMs(response.headers.get("retry-after")) };
}

/** Seconds, with a fraction too, or a date. */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d{1,9}(\.\d+)?$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? Math.ceil(ms) : undefined;
}

async function beginningOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < ANSWER_BYTES_MAX; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  await reader.cancel().catch(() => {});
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX).toString("utf8").trim();
}

/** `fetch` hides what happened in the cause; its code is enough. */
function sentenceOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause as { code?: unknown; message?: unknown } | undefined) : undefined;
  if (typeof cause?.code === "string") return cause.code;
  return error instanceof Error ? error.message : String(error);
}
