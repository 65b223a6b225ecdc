import { createHash } from "node:crypto";

/** How an answer goes wrong: refused with a status, or broken off on its way. */
export type Fault = "overloaded" | "broken";

/** Which requests go wrong, decided by seed and body alone: the same request fails again. @param share of all requests, 0 to 1 */
export function faultOf(body: string, seed: number, share: number): Fault | undefined {
  if (share <= 0) return undefined;
  const digest = createHash("sha256").update(`fault ${seed}\n${body}`).digest();
  if (digest.readUInt32BE(0) >= share * 2 ** 32) return undefined;
  return (digest[4] as number) < 160 ? "overloaded" : "broken";
}
