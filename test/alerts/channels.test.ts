import { Webhook } from "standardwebhooks";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Message } from "../../src/domain/alerts/message.ts";
import { discord, email, slack, teams, webhook } from "../../src/notifications.ts";
import { startReceiver, type Receiver } from "./receiver.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => { for (const close of closing.splice(0)) await close(); });

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const LIVE = new AbortController().signal;
const HOSTILE = '<!channel> @everyone <@123> *bold* _x_ `y` [link](http://evil) & "q" <script>\r\nBcc: thief@example.com';
const message: Message = { id: "user_limit:<&:2026-11-24", type: "alert", severity: "critical", title: "Daily limit of a user reached", text: `User ${HOSTILE}: $12.00 spent.`, facts: [["User", HOSTILE], ["Spent", "$12"]], at: "2026-11-24T15:30:00.000Z", data: { kind: "user_limit", spent: 12 } };

async function receiver(answer?: Parameters<typeof startReceiver>[0]): Promise<Receiver> {
  const started = await startReceiver(answer);
  closing.push(() => started.close());
  return started;
}

async function mailServer(options: SMTPServerOptions = {}): Promise<{ port: number; mails: { from: string; to: string[]; raw: string }[] }> {
  const mails: { from: string; to: string[]; raw: string }[] = [];
  const server = new SMTPServer({
    authOptional: true, disabledCommands: ["STARTTLS"], logger: false,
    onData: (stream, session, done) => {
      let raw = "";
      stream.on("data", (chunk: Buffer) => { raw += chunk.toString("utf8"); });
      stream.on("end", () => { mails.push({ from: session.envelope.mailFrom === false ? "" : session.envelope.mailFrom.address, to: session.envelope.rcptTo.map(({ address }) => address), raw }); done(); });
    },
    ...options,
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

test("Slack: names from outside mention nobody and format nothing", async () => {
  const { url, received } = await receiver();
  expect(await slack({ url: `${url}/services/T0/B0/secret` }).send(message, LIVE)).toMatchObject({ outcome: "sent", status: 200 });
  const body = JSON.parse(received[0]?.body ?? "") as { text: string; blocks: { type: string; text?: { type: string }; fields?: { type: string }[] }[] };
  expect(received[0]?.path).toBe("/services/T0/B0/secret");
  expect(body.text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
  expect(body.text).toContain("&lt;!channel&gt;");
  // Slack reads mrkdwn in none of the blocks.
  expect(body.blocks.flatMap((block) => [block.text?.type, ...(block.fields ?? []).map((field) => field.type)]).filter((type) => type !== undefined)).toEqual(["plain_text", "plain_text", "plain_text", "plain_text"]);
});

test("Discord: nobody is mentioned, whatever the text holds", async () => {
  const { url, received } = await receiver((response) => { response.statusCode = 204; response.end(); });
  expect(await discord({ url }).send(message, LIVE)).toMatchObject({ outcome: "sent", status: 204 });
  const body = JSON.parse(received[0]?.body ?? "") as { allowed_mentions: unknown; embeds: { description: string; fields: unknown[] }[] };
  expect(body.allowed_mentions).toEqual({ parse: [] });
  expect(body.embeds[0]?.description).toContain("\\<\\@123\\>");
  expect(body.embeds[0]?.description).toContain("\\[link\\]\\(http");
});

test("Teams: an Adaptive Card of runs that read no Markdown; a failure said with 200 is one", async () => {
  const { url, received } = await receiver((response, index) => response.end(index === 0 ? "1" : "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"));
  const channel = teams({ url });
  expect(await channel.send(message, LIVE)).toMatchObject({ outcome: "sent" });
  expect(await channel.send(message, LIVE)).toMatchObject({ outcome: "failed", status: 200 });
  const { attachments: [card] } = JSON.parse(received[0]?.body ?? "") as { attachments: [{ contentType: string; content: { type: string; version: string; body: { type: string; inlines: { type: string; text: string }[] }[] } }] };
  expect([card.contentType, card.content.type, card.content.version]).toEqual(["application/vnd.microsoft.card.adaptive", "AdaptiveCard", "1.4"]);
  expect(new Set(card.content.body.map(({ type }) => type))).toEqual(new Set(["RichTextBlock"]));
  expect(card.content.body[1]?.inlines[0]?.text).toBe(message.text);
});

test("webhook: signed by Standard Webhooks over the very bytes, the same id for each attempt, the data whole", async () => {
  const { url, received } = await receiver();
  const channel = webhook({ url, secret: SECRET, headers: { authorization: "Bearer abc" } });
  await channel.send(message, LIVE);
  await channel.send(message, LIVE);
  const [first, second] = received;
  if (first === undefined || second === undefined) throw new Error("not received");
  const verified = new Webhook(SECRET).verify(first.body, first.headers as Record<string, string>) as { type: string; data: { alert: unknown; id: string } };
  expect(verified).toMatchObject({ type: "tollgate.alert", timestamp: message.at, data: { id: message.id, alert: message.data } });
  expect(() => new Webhook(SECRET).verify(`${first.body} `, first.headers as Record<string, string>)).toThrow();
  expect(first.headers["webhook-id"]).toMatch(/^msg_[0-9a-f]{32}$/);
  expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  expect(first.headers.authorization).toBe("Bearer abc");
});

test("e-mail: HTML is escaped, no header is smuggled in, the same message has the same id", async () => {
  const { port, mails } = await mailServer();
  const channel = email({ host: "127.0.0.1", port, insecure: true, from: "Tollgate <alerts@example.com>", to: ["ops@example.com", "cfo@example.com"] });
  expect(await channel.send(message, LIVE)).toMatchObject({ outcome: "sent", status: 250 });
  await channel.send(message, LIVE);
  const [mail, again] = mails;
  expect([mail?.from, mail?.to]).toEqual(["alerts@example.com", ["ops@example.com", "cfo@example.com"]]);
  const headers = (mail?.raw ?? "").split("\r\n\r\n")[0] ?? "";
  expect(headers).not.toMatch(/^Bcc:/im);
  expect(headers).toMatch(/^Auto-Submitted: auto-generated/im);
  const html = (mail?.raw ?? "").replaceAll("=\r\n", "").split("text/html")[1] ?? "";
  expect(html).not.toContain("<script>");
  expect(html).toContain("&lt;script&gt;");
  const id = (raw = ""): string | undefined => /^Message-ID: (.*)$/im.exec(raw)?.[1];
  expect(id(mail?.raw)).toBeDefined();
  expect(id(again?.raw)).toBe(id(mail?.raw));
});

test("e-mail: a wrong password is refused and in no text; a busy server is worth another attempt; plain text is refused unless allowed", async () => {
  const locked = await mailServer({ authOptional: false, allowInsecureAuth: true, onAuth: ({ username, password }, _session, done) => done(new Error(`no: ${username} ${password}`)) } as SMTPServerOptions);
  const wrong = await email({ host: "127.0.0.1", port: locked.port, insecure: true, user: "alerts", password: "hunter2-very-secret", from: "a@example.com", to: "b@example.com" }).send(message, LIVE);
  expect(wrong.outcome).toBe("refused");
  expect(JSON.stringify(wrong)).not.toContain("hunter2");
  const busy = await mailServer({ onRcptTo: (_address, _session, done) => done(Object.assign(new Error("try later"), { responseCode: 451 })) });
  expect(await email({ host: "127.0.0.1", port: busy.port, insecure: true, from: "a@example.com", to: "b@example.com" }).send(message, LIVE)).toMatchObject({ outcome: "failed", status: 451 });
  const plain = await mailServer();
  expect((await email({ host: "127.0.0.1", port: plain.port, from: "a@example.com", to: "b@example.com" }).send(message, LIVE)).outcome).not.toBe("sent");
  expect(plain.mails).toEqual([]);
});

test.each([[200, "sent"], [204, "sent"], [301, "refused"], [400, "refused"], [404, "refused"], [408, "failed"], [429, "failed"], [500, "failed"], [503, "failed"]] as const)("an answer of %i is %s", async (status, outcome) => {
  const { url, received } = await receiver((response) => { response.writeHead(status, { "retry-after": "7", location: "/elsewhere" }); response.end(); });
  const result = await slack({ url }).send(message, LIVE);
  expect(result).toMatchObject({ outcome, status, ...(outcome === "failed" ? { retryAfterMs: 7_000 } : {}) });
  expect(received.length).toBe(1);
});

test("every attempt ends in time: no answer, an answer that never ends, a mail server that says nothing, an abort", async () => {
  const silent = await receiver(() => {});
  expect(await slack({ url: silent.url, timeoutMs: 50 }).send(message, LIVE)).toMatchObject({ outcome: "failed", status: null, detail: "no answer within 50 ms" });
  const dripping = await receiver((response) => { response.writeHead(200); response.write("x"); });
  expect(await slack({ url: dripping.url, timeoutMs: 100 }).send(message, LIVE)).toMatchObject({ outcome: "failed" });
  const { createServer } = await import("node:net");
  const mute = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => mute.close(() => resolve())));
  expect(await email({ host: "127.0.0.1", port: (mute.address() as AddressInfo).port, timeoutMs: 50, from: "a@example.com", to: "b@example.com" }).send(message, LIVE)).toMatchObject({ outcome: "failed" });
  const abort = new AbortController();
  const sending = slack({ url: silent.url }).send(message, abort.signal);
  abort.abort();
  expect(await sending).toMatchObject({ outcome: "failed", detail: "stopped" });
});

test("addresses, tokens and signing secrets are in no result, even if the other side repeats them", async () => {
  const { url } = await receiver((response, _index, request) => { response.statusCode = 400; response.end(`bad: ${request.url} ${request.headers.authorization} ${url}/services/T0/secret-path`); });
  const results = [await slack({ url: `${url}/services/T0/secret-path` }).send(message, LIVE), await webhook({ url: `${url}/services/T0/secret-path`, secret: SECRET, headers: { authorization: "Bearer top-secret-token" } }).send(message, LIVE), await discord({ url: "http://127.0.0.1:1/secret-path" }).send(message, LIVE)];
  expect(results.map(({ outcome }) => outcome)).toEqual(["refused", "refused", "failed"]);
  expect(JSON.stringify(results)).not.toMatch(/secret-path|top-secret-token/);
});

test.each<[() => unknown, string]>([
  [() => slack({ url: "hooks.slack.com/x" }), "url"], [() => discord({ url: "ftp://x/secret" }), "url"], [() => teams({ url: undefined as never }), "url"], [() => slack({ url: "https://me:pass@x.example" }), "url"],
  [() => slack({ url: "https://x", timeoutMs: 0 }), "timeoutMs"], [() => slack({ url: "https://x", name: "a\nb" }), "name"], [() => webhook({ url: "https://x", secret: "short" }), "secret"], [() => webhook({ url: "https://x", secret: "whsec_AAAA" }), "secret"],
  [() => webhook({ url: "https://x", secret: SECRET, headers: { "webhook-id": "1" } }), "headers.webhook-id"], [() => webhook({ url: "https://x", secret: SECRET, headers: { a: "b\r\nc: d" } }), "headers"],
  [() => email({ host: "", from: "a@b.c", to: "a@b.c" }), "host"], [() => email({ host: "h", port: 0, from: "a@b.c", to: "a@b.c" }), "port"], [() => email({ host: "h", from: "nobody", to: "a@b.c" }), "from"], [() => email({ host: "h", from: "a@b.c", to: [] }), "to"],
  [() => email({ host: "h", from: "a@b.c\nBcc: x@y.z", to: "a@b.c" }), "from"], [() => email({ host: "h", user: "u", from: "a@b.c", to: "a@b.c" }), "password"],
])("wrong options of a channel are refused when it is made, without repeating secrets: %s", (make, param) => {
  expect(make).toThrowError(expect.objectContaining({ code: "invalid_request", param }));
  try { make(); } catch (error) { expect((error as Error).message).not.toMatch(/secret$|pass@|short/); }
});
