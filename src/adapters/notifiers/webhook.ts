import { createHash } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { Message } from "../../domain/alerts/message.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import { invalid, readAddress, readChannel, type ChannelOptions } from "./options.ts";
import { postJson } from "./post-json.ts";

export interface WebhookOptions extends ChannelOptions {
  readonly url: string | undefined;
  /** Signs each message as Standard Webhooks says: `whsec_` and the base64 of 24 to 64 random bytes. */
  readonly secret: string | undefined;
  /** Beside those of the signature, such as an `authorization`. Treated as secrets. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const OWN = /^(?:webhook-|content-|host$|transfer-encoding$|connection$)/i;

/**
 * A program of your own, signed by Standard Webhooks: `webhook-id` is the same for each attempt, so that a receiver knows a repeated message.
 * @throws TollgateError `invalid_request`
 * @example webhook({ url: process.env.WEBHOOK_URL, secret: process.env.WEBHOOK_SECRET })
 */
export function webhook(options: WebhookOptions): Notifier {
  const { name, timeoutMs } = readChannel(options, "webhook");
  const url = readAddress(options.url, "webhook");
  const signer = signerOf(options.secret);
  const headers = readHeaders(options.headers ?? {});
  const secrets = [options.secret ?? "", ...Object.values(headers)];
  return {
    name,
    send: (message, signal) => {
      const body = JSON.stringify(webhookBody(message));
      const id = webhookId(message.id);
      const at = new Date();
      const signed = { "webhook-id": id, "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)), "webhook-signature": signer.sign(id, at, body) };
      return postJson({ url, body, headers: { ...headers, ...signed }, timeoutMs, signal, secrets });
    },
  };
}

export function webhookBody({ id, type, severity, title, text, at, data }: Message): unknown {
  return { type: `tollgate.${type}`, timestamp: at, data: { id, severity, title, text, [type]: data } };
}

/** Header values are short and plain; a message's id holds whatever a user is called. */
export function webhookId(messageId: string): string {
  return `msg_${createHash("sha256").update(messageId).digest("hex").slice(0, 32)}`;
}

function signerOf(secret: unknown): Webhook {
  const wrong = invalid("secret", 'The secret of a webhook channel must be "whsec_" and the base64 of 24 to 64 random bytes, such as the output of: echo "whsec_$(openssl rand -base64 32)".');
  if (typeof secret !== "string" || !/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw wrong;
  const bytes = Buffer.from(secret.slice("whsec_".length), "base64").length;
  if (bytes < 24 || bytes > 64) throw wrong;
  return new Webhook(secret);
}

function readHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (OWN.test(name)) throw invalid(`headers.${name}`, `The header ${JSON.stringify(name)} of a webhook channel is Tollgate's own; leave it out.`);
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || typeof value !== "string" || !/^[\t\x20-\x7e]*$/.test(value)) throw invalid("headers", "The headers of a webhook channel must have plain names and printable values on one line.");
  }
  return { ...headers };
}
