import { TollgateError } from "../../base/errors.ts";

const LENGTH_MIN = 16;
const KNOWN: ReadonlySet<string> = new Set(["sk-1234", "sk-12345", "sk-123456", "sk-master-key", "sk-litellm-master-key", "your-master-key", "changeme", "change-me-please", "sk-change-me-please"]);

/**
 * Refuses a master key that can be guessed, where others can reach the gateway (GATE 10.4).
 * @param host the address that the gateway listens on
 * @throws TollgateError `weak_master_key`
 */
export function checkMasterKey(key: string, host: string): void {
  if (isLoopback(host) || !isWeak(key)) return;
  throw new TollgateError("weak_master_key", `The master key is shorter than ${LENGTH_MIN} characters or a well-known default, and ${JSON.stringify(host)} can be reached by others. Choose a long random key, leave it out to have one made, or listen on 127.0.0.1.`, { param: "general_settings.master_key" });
}

function isWeak(key: string): boolean {
  return key.length < LENGTH_MIN || KNOWN.has(key.toLowerCase()) || new Set(key.replace(/^sk-/, "")).size < 5;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
