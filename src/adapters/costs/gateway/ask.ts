import { ERROR_CODES, TollgateError, type ErrorCode } from "../../../base/errors.ts";

/** A gateway, and the master key that reads its books. */
export interface GatewayAddress {
  readonly url: string;
  readonly key: string;
}

const TIMEOUT_MS = 60_000;

/** The answer to a GET. @throws TollgateError `gateway_unreachable`, or what the gateway answered, under its own code */
export async function ask({ url, key }: GatewayAddress, path: string): Promise<unknown> {
  let status: number;
  let body: unknown;
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    status = response.status;
    body = parsed(await response.text());
  } catch (cause) {
    throw new TollgateError("gateway_unreachable", `No gateway answers at ${url}. Start it, or correct the address.`, { cause });
  }
  if (status >= 200 && status <= 299 && typeof body === "object" && body !== null) return body;
  const said = (body as { error?: { message?: unknown; tollgate_code?: unknown; param?: unknown } } | undefined)?.error;
  const code = said?.tollgate_code;
  if (typeof said?.message === "string" && typeof code === "string" && Object.hasOwn(ERROR_CODES, code)) {
    throw new TollgateError(code as ErrorCode, said.message, typeof said.param === "string" ? { param: said.param } : {});
  }
  throw new TollgateError("gateway_unreachable", `What answers at ${url} is no Tollgate (status ${status}). Check the address.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
