import { TollgateError } from "../../../base/errors.ts";
import type { Dialect, DialectRequest } from "../../../domain/upstream/dialect.ts";

const DEPLOYMENT = /\/deployments\/([^/]+)\//;
const OPENING = 0x7b;
const CLOSING = 0x7d;
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Reads a request; where Azure names the model in the path and the body leaves it out, the body gets it, as Azure's own client writes it.
 * @throws TollgateError as `Dialect.read` does
 */
export function readNamed(dialect: Dialect, body: Uint8Array, path: string): { readonly request: DialectRequest; readonly body: Uint8Array } {
  try {
    return { request: dialect.read(body), body };
  } catch (error) {
    const named = error instanceof TollgateError && error.param === "model" ? withModel(body, path) : undefined;
    if (named === undefined) throw error;
    try {
      return { request: dialect.read(named), body: named };
    } catch (second) {
      // It had a model, and a wrong one.
      throw second instanceof TollgateError && second.code === "duplicate_member" ? error : second;
    }
  }
}

function withModel(body: Uint8Array, path: string): Uint8Array | undefined {
  const deployment = DEPLOYMENT.exec(path)?.[1];
  if (deployment === undefined) return undefined;
  let model: string;
  try {
    model = decodeURIComponent(deployment);
  } catch {
    return undefined;
  }
  const next = (from: number): number => {
    let at = from;
    while (at < body.length && SPACE.has(body[at] as number)) at += 1;
    return at;
  };
  const opening = next(0);
  if (body[opening] !== OPENING) return undefined;
  const member = new TextEncoder().encode(`"model":${JSON.stringify(model)}${body[next(opening + 1)] === CLOSING ? "" : ","}`);
  const named = new Uint8Array(body.length + member.length);
  named.set(body.subarray(0, opening + 1));
  named.set(member, opening + 1);
  named.set(body.subarray(opening + 1), opening + 1 + member.length);
  return named;
}
