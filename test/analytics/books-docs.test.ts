import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SMTPServer } from "smtp-server";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startReceiver, type Receiver } from "../alerts/receiver.ts";
import { TestLedger, usd } from "../monitor/ledger.ts";
import { startMockProvider, type MockProvider } from "../support/mock-provider.ts";
import { runCli } from "../support/run-cli.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DOCS = join(ROOT, "docs", "books");
const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** What snippets leave behind is gone with it. */
const folder = mkdtempSync(join(tmpdir(), "tollgate-books-docs-"));
const ledger = new TestLedger();
let provider: MockProvider;
let slack: Receiver;
let webhook: Receiver;
let mail: { readonly port: number; readonly subjects: string[]; close(): Promise<void> };

beforeAll(async () => {
  [provider, slack, webhook, mail] = await Promise.all([startMockProvider(), startReceiver(), startReceiver(), startMailServer()]);
  const now = Date.now();
  // A month and more of a gateway's books; today is dear enough to be told of.
  ledger.write(Array.from({ length: 120 }, (_, index) => ({
    at: now - Math.floor(index / 3) * 86_400_000 - 60_000, user: `customer-${index % 9}`, model: index % 2 === 0 ? "gpt-4o" : "gpt-4o-mini", key: "ci", tags: index % 4 === 0 ? ["chat"] : [], cost: index < 3 ? usd(60) : usd(1 + (index % 5)),
  })));
  symlinkSync(ledger.folder, join(folder, ".tollgate"));
});

afterAll(async () => {
  await Promise.all([provider.close(), slack.close(), webhook.close(), mail.close()]);
  ledger.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Speaks STARTTLS with a certificate made for it, and wants a password. */
async function startMailServer(): Promise<typeof mail> {
  const [key, cert] = [join(folder, "smtp-key.pem"), join(folder, "smtp-cert.pem")];
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
  const subjects: string[] = [];
  const server = new SMTPServer({
    key: readFileSync(key), cert: readFileSync(cert), logger: false,
    onAuth: ({ username, password }, session, done) => (session.secure && username === "alerts" && password === "swordfish" ? done(null, { user: username }) : done(new Error("no"))),
    onData: (stream, _session, done) => {
      let raw = "";
      stream.on("data", (chunk: Buffer) => { raw += chunk.toString("utf8"); });
      stream.on("end", () => { subjects.push(/^Subject: (.*)$/m.exec(raw)?.[1] ?? ""); done(); });
    },
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.server.address() as AddressInfo).port, subjects, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

const snippets = readdirSync(DOCS).filter((name) => name.endsWith(".md"))
  .flatMap((name) => [...readFileSync(join(DOCS, name), "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map((match, at) => [name, at + 1, match[1] ?? ""] as const));

/** The snippet as it stands, with the package's subpaths as sources. */
function fromSources(code: string): string {
  return code.replaceAll(/"tollgate(?:\/(\w+))?"/g, (_, subpath: string | undefined) => JSON.stringify(join(ROOT, "src", `${subpath ?? "index"}.ts`)));
}

test("every page of the books has snippets to run", () => {
  expect(new Set(snippets.map(([name]) => name))).toEqual(new Set(readdirSync(DOCS).filter((name) => name.endsWith(".md"))));
});

test.each(snippets)("docs/books/%s, snippet %i runs as it stands, in one folder with those before", async (_name, _number, code) => {
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module-typescript", "-e", fromSources(code)], {
    cwd: folder, timeout: 20_000,
    env: {
      PATH: process.env["PATH"], OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${provider.url}/v1`, NODE_EXTRA_CA_CERTS: join(folder, "smtp-cert.pem"),
      SLACK_WEBHOOK_URL: `${slack.url}/services/T0/B0/x`, WEBHOOK_URL: webhook.url, WEBHOOK_SECRET, SMTP_HOST: "localhost", SMTP_PORT: String(mail.port), SMTP_PASSWORD: "swordfish",
    },
  });
  // Progress is all that goes there.
  expect(stderr).toMatch(/^(\r\d+ rows)*$/);
  if (code.includes("console.log")) expect(stdout).not.toBe("");
  for (const [, path = ""] of code.matchAll(/(?:path: |writeFileSync\()"([^"]+)"/g)) expect(existsSync(join(folder, path)), path).toBe(true);
});

test("what docs/books/alerts.md sends arrives on every channel: signed, and by a mail server that wants TLS and a password", () => {
  expect(slack.received.length).toBeGreaterThan(0);
  expect(slack.received.map(({ path }) => path)).toEqual(slack.received.map(() => "/services/T0/B0/x"));
  expect(webhook.received.length).toBe(slack.received.length);
  for (const { body, headers } of webhook.received) expect(new Webhook(WEBHOOK_SECRET).verify(body, headers as Record<string, string>)).toMatchObject({ type: expect.stringMatching(/^tollgate\./) });
  expect(mail.subjects.length).toBe(slack.received.length);
  for (const subject of mail.subjects) expect(subject).toContain("Tollgate");
});

const commands = readdirSync(DOCS).flatMap((name) => [...readFileSync(join(DOCS, name), "utf8").matchAll(/^npm run tollgate -- (.*)$/gm)].map((match) => [name, match[1] ?? ""] as const));

test.each(commands)("docs/books/%s: tollgate %s", async (_name, command) => {
  rmSync(join(folder, / --out (\S+)/.exec(command)?.[1] ?? ""), { force: true });
  const done = await runCli(command.split(" "), { cwd: folder });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).not.toBe("");
});

test("every snippet of the books passes a strict TypeScript", async () => {
  const typed = join(folder, "typed");
  mkdirSync(typed);
  for (const [name, number, code] of snippets) writeFileSync(join(typed, `${name.replace(".md", "")}-${number}.mts`), fromSources(code));
  const options = { noUnusedLocals: false, noUnusedParameters: false, typeRoots: [join(ROOT, "node_modules", "@types")] };
  writeFileSync(join(typed, "tsconfig.json"), JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions: options, include: ["*.mts"] }));
  const checked = await run(process.execPath, [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "-p", typed]).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe("");
});
