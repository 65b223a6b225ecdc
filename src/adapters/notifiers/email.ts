import { createHash } from "node:crypto";
import { createTransport } from "nodemailer";
import type { Message } from "../../domain/alerts/message.ts";
import type { Notifier, SendResult } from "../../domain/alerts/notifier.ts";
import { cut } from "./cut.ts";
import { invalid, readChannel, type ChannelOptions } from "./options.ts";
import { withoutSecrets } from "./secrets.ts";

export interface EmailOptions extends ChannelOptions {
  readonly host: string | undefined;
  /** 587 if left out, 465 with `secure`. */
  readonly port?: number | undefined;
  /** TLS from the first byte. Without it the connection is raised by STARTTLS; `insecure` allows plain text for servers without. */
  readonly secure?: boolean | undefined;
  readonly insecure?: boolean | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly from: string;
  readonly to: string | readonly string[];
}

interface MailError extends Error {
  readonly code?: string;
  readonly responseCode?: number;
}

/**
 * E-mail through an SMTP server.
 * @throws TollgateError `invalid_request`
 * @example email({ host: "smtp.example.com", user: "alerts", password: process.env.SMTP_PASSWORD, from: "alerts@example.com", to: ["ops@example.com"] })
 */
export function email(options: EmailOptions): Notifier {
  const { name, timeoutMs } = readChannel(options, "email");
  const { host, secure = false, insecure = false, user, password } = options;
  const port = options.port ?? (secure ? 465 : 587);
  if (typeof host !== "string" || !/^[\w.:-]{1,253}$/.test(host)) throw invalid("host", 'The host of an email channel must be the name of a mail server, such as "smtp.example.com".');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid("port", "The port of an email channel must be a whole number from 1 to 65535.");
  if ((user === undefined) !== (password === undefined)) throw invalid(user === undefined ? "user" : "password", "An email channel needs both user and password, or neither.");
  const from = readAddress(options.from, "from");
  const to = (typeof options.to === "string" ? [options.to] : [...(options.to ?? [])]).map((one) => readAddress(one, "to"));
  if (to.length === 0 || to.length > 100) throw invalid("to", "to of an email channel must name 1 to 100 addresses.");
  const secrets = password === undefined ? [] : [password, `\0${user}\0${password}`];
  return {
    name,
    send: async (message, signal) => {
      const transport = createTransport({
        host, port, secure, ...(secure ? {} : insecure ? { opportunisticTLS: true } : { requireTLS: true }), ...(user === undefined ? {} : { auth: { user, pass: password ?? "" } }),
        connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs, disableFileAccess: true, disableUrlAccess: true,
      });
      return await bounded(transport.sendMail({ from, to, ...mailOf(message) }), timeoutMs, signal, () => transport.close(), secrets);
    },
  };
}

/** The same message has the same id, whoever sends it again. */
export function mailOf({ id, title, text, facts, severity, at }: Message): { subject: string; text: string; html: string; messageId: string; date: Date; headers: Record<string, string> } {
  const oneLine = (value: string): string => value.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g, " ");
  const rows = facts.map(([name, value]) => `<tr><td style="padding:2px 12px 2px 0;color:#555;vertical-align:top">${html(name)}</td><td style="padding:2px 0">${html(value)}</td></tr>`).join("");
  const colour = { info: "#1d4ed8", warning: "#b45309", critical: "#b91c1c" }[severity];
  return {
    subject: cut(`[Tollgate] ${oneLine(title)}: ${oneLine(text)}`, 160),
    text: `${title}\n\n${text}\n\n${facts.map(([name, value]) => `${name}: ${oneLine(value)}`).join("\n")}\n`,
    html: `<!doctype html><html lang="en"><body style="font-family:sans-serif;font-size:15px;line-height:1.5;color:#111;overflow-wrap:anywhere"><h2 style="color:${colour}">${html(title)}</h2><p>${html(text).replaceAll("\n", "<br>")}</p><table>${rows}</table></body></html>`,
    messageId: `<${createHash("sha256").update(id).digest("hex").slice(0, 32)}@tollgate>`,
    date: new Date(at),
    headers: { "auto-submitted": "auto-generated" },
  };
}

function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/** The limits of the driver are for each step; this one is for all of them. */
async function bounded(sending: Promise<{ response?: string }>, timeoutMs: number, signal: { readonly aborted: boolean; addEventListener(type: "abort", listener: () => void): void; removeEventListener(type: "abort", listener: () => void): void }, close: () => void, secrets: readonly string[]): Promise<SendResult> {
  const ended = Promise.withResolvers<never>();
  const stop = (): void => ended.reject(Object.assign(new Error("stopped"), { code: "ECONNECTION" }));
  const timer = setTimeout(() => ended.reject(Object.assign(new Error(`not accepted within ${timeoutMs} ms`), { code: "ETIMEDOUT" })), timeoutMs);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  sending.catch(() => {});
  try {
    const { response = "" } = await Promise.race([sending, ended.promise]);
    return { outcome: "sent", status: Number(/^\d{3}/.exec(response)?.[0] ?? 250), detail: "accepted" };
  } catch (error) {
    return failureOf(error as MailError, secrets);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    close();
  }
}

function failureOf({ code, responseCode, message }: MailError, secrets: readonly string[]): SendResult {
  const status = responseCode ?? null;
  const detail = withoutSecrets(message, secrets);
  const final = status === null ? code === "EENVELOPE" || code === "EAUTH" : status >= 500;
  return { outcome: final ? "refused" : "failed", status, detail };
}

function readAddress(address: unknown, param: "from" | "to"): string {
  if (typeof address === "string" && address.length <= 320 && /^[^\u0000-\u001F\u007F]*$/.test(address) && /^[^@<>]*<[^@\s<>,;]+@[^@\s<>,;]+>$|^[^@\s<>,;]+@[^@\s<>,;]+$/.test(address)) return address;
  throw invalid(param, `${param} of an email channel must be an address such as "ops@example.com" or "Ops <ops@example.com>".`);
}
