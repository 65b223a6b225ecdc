import { TollgateError } from "../../base/errors.ts";

/** Addresses and secrets may be `undefined`, so that they can be read from the environment as they are; what is missing is refused by name when the channel is made. */
export interface ChannelOptions {
  /** How the log calls it; needed where two channels are of one kind. */
  readonly name?: string | undefined;
  /** For one attempt, 10 seconds if left out. */
  readonly timeoutMs?: number | undefined;
}

const TIMEOUT_MS = 10_000;
const TIMEOUT_MAX_MS = 60_000;

/** @throws TollgateError `invalid_request` */
export function readChannel({ name, timeoutMs }: ChannelOptions, kind: string): { readonly name: string; readonly timeoutMs: number } {
  if (name !== undefined && !/^[\w .-]{1,64}$/.test(name)) throw invalid("name", `The name of a ${kind} channel must be 1 to 64 letters, digits, spaces, dots or dashes.`);
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MAX_MS)) throw invalid("timeoutMs", `timeoutMs of a ${kind} channel must be from 1 to ${TIMEOUT_MAX_MS} milliseconds.`);
  return { name: name ?? kind, timeoutMs: timeoutMs ?? TIMEOUT_MS };
}

/** The address is a secret: an error never repeats it. @throws TollgateError `invalid_request` */
export function readAddress(url: unknown, kind: string): URL {
  const address = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  if (address === undefined || !/^https?:$/.test(address.protocol)) throw invalid("url", `The url of a ${kind} channel is ${url === undefined ? "missing" : "no http(s) address"}; copy it whole, such as "https://…".`);
  if (address.username !== "" || address.password !== "") throw invalid("url", `The url of a ${kind} channel must not hold a user name and password; send them in headers.`);
  return address;
}

export function invalid(param: string, message: string): TollgateError {
  return new TollgateError("invalid_request", message, { param });
}
