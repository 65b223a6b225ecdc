const TIME_OUTS = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "ETIMEDOUT"]);

/** How a socket says that the other side is gone. Broken HTTP and our own time-outs are not among them. */
const LOST_CONNECTION = new Set(["UND_ERR_SOCKET", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"]);

export function isTimeOut(error: Error): boolean {
  return TIME_OUTS.has(codeOf(error));
}

/** The connection died, and nothing else: a reused one may have been closed by the provider before it saw the request. */
export function isLostConnection(error: Error): boolean {
  return LOST_CONNECTION.has(codeOf(error));
}

/** A line for the log, with the error's code. */
export function describe(error: Error): string {
  const code = codeOf(error);
  return code === "" || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}
