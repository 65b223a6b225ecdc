import { createHmac } from "node:crypto";
import { FINGERPRINT } from "../../domain/optimizer/waste.ts";
import type { InputCallback } from "../../surfaces/sdk/custom-logger.ts";

/**
 * An input callback that records a keyed hash of each call's model and messages in its metadata, so that `waste` finds
 * prompts that were paid twice. The ledger never holds the prompt; without the secret nobody can try prompts against the hash.
 *
 * @param secret the same in every process whose prompts are to be compared
 * @example tollgate.inputCallbacks.push(fingerprintPrompts({ secret: process.env.PROMPT_SECRET }));
 */
export function fingerprintPrompts({ secret }: { secret: string }): InputCallback {
  if (typeof secret !== "string" || secret === "") throw new TypeError("fingerprintPrompts needs a secret text.");
  return (call) => ({
    metadata: { ...call.metadata, [FINGERPRINT]: createHmac("sha256", secret).update(JSON.stringify([call.type, call.model, call.messages])).digest("base64url").slice(0, 22) },
  });
}
