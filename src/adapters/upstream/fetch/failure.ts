/** How the layers below `fetch` say that no connection was made: the provider has seen nothing. */
const NEVER_CONNECTED = new Set([
  "ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT",
  "ERR_INVALID_URL", "ERR_TLS_CERT_ALTNAME_INVALID", "CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
]);
const TIME_OUTS = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "ETIMEDOUT"]);
const CAUSES_MAX = 5;

/** `fetch` hides the reason in causes, and the reasons of several addresses in a list of errors. */
function* codesOf(error: unknown): Generator<string> {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && typeof current === "object" && current !== null; depth += 1) {
    const { code, cause, errors } = current as { code?: unknown; cause?: unknown; errors?: unknown };
    if (typeof code === "string") yield code;
    current = cause ?? (Array.isArray(errors) ? (errors as readonly unknown[])[0] : undefined);
  }
}

/** Certain that nothing was sent; when in doubt, no. */
export function neverConnected(error: unknown): boolean {
  // The one reason that `fetch` gives without a code: it refuses ports of other protocols.
  if (((error as { cause?: { message?: unknown } | null } | null)?.cause ?? undefined)?.message === "bad port") return true;
  for (const code of codesOf(error)) if (NEVER_CONNECTED.has(code)) return true;
  return false;
}

export function isTimeOut(error: unknown): boolean {
  for (const code of codesOf(error)) if (TIME_OUTS.has(code)) return true;
  return false;
}

/** A line for the log, with the innermost code. */
export function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const codes = [...codesOf(error)];
  const last = codes[codes.length - 1];
  return last === undefined || message.includes(last) ? message : `${message} (${last})`;
}
