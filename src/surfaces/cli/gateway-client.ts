import { ERROR_CODES, TollgateError, type ErrorCode } from "../../base/errors.ts";

/** A gateway that the command line talks to, with the key that it talks with. */
export interface GatewayAddress {
  readonly url: string;
  readonly key: string;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; `undefined` if there is none. */
  readonly body: unknown;
}

const TIMEOUT_MS = 60_000;

/** One request. @throws TollgateError `gateway_unreachable` */
export async function send(address: GatewayAddress, path: string, body?: object, signal?: AbortSignal): Promise<GatewayAnswer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(`${address.url.replace(/\/+$/, "")}${path}`, {
      headers: { authorization: `Bearer ${address.key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    throw new TollgateError("gateway_unreachable", `No gateway answers at ${address.url}. Start it, or name another with --url.`, { cause });
  }
}

/** One request that must succeed. @throws TollgateError `gateway_unreachable`, or what the gateway answered, under its own code */
export async function ask(address: GatewayAddress, path: string, body?: object): Promise<unknown> {
  const answer = await send(address, path, body);
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer, address);
  if (answer.body === undefined) throw new TollgateError("gateway_unreachable", `What answers at ${address.url} is no Tollgate. Check the address.`);
  return answer.body;
}

/** The error in an answer, as the gateway meant it. */
export function errorOf(answer: GatewayAnswer, address: GatewayAddress): TollgateError {
  const error = (answer.body as { error?: { message?: unknown; tollgate_code?: unknown } } | undefined)?.error;
  const code = error?.tollgate_code;
  if (typeof error?.message !== "string" || typeof code !== "string" || !Object.hasOwn(ERROR_CODES, code)) {
    return new TollgateError("gateway_unreachable", `What answers at ${address.url} is no Tollgate (status ${answer.status}). Check the address.`);
  }
  return new TollgateError(code as ErrorCode, error.message);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
