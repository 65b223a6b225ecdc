import http from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI7, { toFile } from "openai";
import OpenAI6 from "openai-6";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createTollgate, type TollgateOptions } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import { GLOBAL_SCOPE } from "../../src/domain/scopes/scope.ts";
import { LIFETIME } from "../../src/domain/windows/window.ts";
import { billable } from "../../src/surfaces/sdk/track/billable.ts";
import { trackedCost } from "../../src/surfaces/sdk/track/track-fetch.ts";
import type { SuccessfulCall, CallRecord } from "../../src/surfaces/sdk/call-record.ts";
import { BudgetExceededError } from "../../src/surfaces/sdk/errors.ts";

interface Seen { readonly method: string; readonly path: string; readonly headers: http.IncomingHttpHeaders; readonly body: Buffer }
let seen: Seen[];
let answer: { status: number; headers: Record<string, string>; body: string };
let server: http.Server;
let url: string;

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece)).on("end", () => {
      seen.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body: Buffer.concat(pieces) });
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers }).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  seen = [];
  answer = { status: 200, headers: {}, body: '{"id":"x","object":"thing","data":[],"results":[]}' };
});

function instance(options: TollgateOptions = {}): { tollgate: ReturnType<typeof createTollgate>; entries: Entry[]; successes: SuccessfulCall[]; failures: CallRecord[] } {
  const entries: Entry[] = [];
  const successes: SuccessfulCall[] = [];
  const failures: CallRecord[] = [];
  const tollgate = createTollgate({ ...options, onEntry: (entry) => entries.push(entry), successCallbacks: [(call) => void successes.push(call)], failureCallbacks: [(call) => void failures.push(call)] });
  return { tollgate, entries, successes, failures };
}

const CALLS: Readonly<Record<string, (client: OpenAI7) => Promise<unknown>>> = {
  images_generations: (client) => client.images.generate({ model: "gpt-image-1", prompt: "a gate" }),
  audio_speech: (client) => client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hello" }),
  audio_transcriptions: async (client) => client.audio.transcriptions.create({ model: "whisper-1", file: await toFile(Buffer.from("RIFF"), "a.wav") }),
  files: async (client) => client.files.create({ purpose: "batch", file: await toFile(Buffer.from("{}"), "a.jsonl") }),
  moderations: (client) => client.moderations.create({ input: "Hello" }),
  batches: (client) => client.batches.create({ completion_window: "24h", endpoint: "/v1/chat/completions", input_file_id: "file-abc123" }),
  completions: (client) => client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Hello" }),
  new_thing: (client) => client.post("/new_thing", { body: { model: "m" } }),
};

for (const [name, OpenAI] of Object.entries({ "openai 7": OpenAI7, "openai 6": OpenAI6 as unknown as typeof OpenAI7 })) {
  test(`promise 7, ${name}: what a tracked client sends and nobody can read passes untouched, stands in the books as unpriced, and callbacks are told; under a hard budget it is refused with nothing sent`, async () => {
    const free = instance();
    const client = free.tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: url, maxRetries: 0 }), { user: "ann", tags: ["t"] });
    for (const [route, call] of Object.entries(CALLS)) {
      await call(client);
      expect(free.entries.at(-1)).toMatchObject({ route, cost: "0", held: "0", unpriced: true, estimated: "unpriced", status: "ok", httpStatus: 200, customer: "ann", tags: '["t"]' });
    }
    expect(free.entries.length).toBe(Object.keys(CALLS).length);
    expect(seen.find(({ path }) => path === "/v1/images/generations")?.body.toString()).toBe('{"model":"gpt-image-1","prompt":"a gate"}');
    expect(seen.find(({ path }) => path === "/v1/files")?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    expect(free.entries.map((entry) => entry.model).slice(0, 3)).toEqual(["gpt-image-1", "tts-1", "whisper-1"]);
    await free.tollgate.flush();
    expect(free.successes.length).toBe(free.entries.length);
    expect(free.successes[0]).toMatchObject({ type: "unread", model: "gpt-image-1", responseCost: 0, cost: { total: "0", unpriced: true, estimated: true }, response: { status: 200, route: "images_generations" }, user: "ann" });
    // Reads cost nothing and make no noise.
    await client.models.list();
    await client.files.list();
    await client.batches.cancel("batch_abc123").catch(() => undefined);
    await client.files.delete("file-abc123");
    expect(free.entries.length).toBe(Object.keys(CALLS).length);
    expect(await plainHolds(free)).toBe(0n);

    const sent = seen.length;
    const capped = instance({ maxBudget: 1 });
    const limited = capped.tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: url, maxRetries: 3 }));
    for (const call of Object.values(CALLS)) await expect(call(limited)).rejects.toMatchObject({ status: 400, error: { tollgate_code: "cost_not_boundable" } });
    expect([seen.length, capped.entries.length]).toEqual([sent, 0]);
    await limited.models.list();
    await capped.tollgate.flush();
    expect(capped.failures.map((call) => [call.type, call.responseCost])).toEqual(Object.keys(CALLS).map(() => ["unread", null]));
    await Promise.all([free.tollgate.close(), capped.tollgate.close()]);
  });
}

async function plainHolds({ tollgate }: { tollgate: ReturnType<typeof createTollgate> }): Promise<bigint> {
  const plane = await tollgate.plane();
  return new Promise((resolve, reject) => plane.engine.books.standing(GLOBAL_SCOPE, undefined, LIFETIME, (error, standing) => (error === undefined ? resolve(standing.held) : reject(error))));
}

test("a refused one costs nothing, one that breaks is marked as never heard of, and each try of a client is an attempt of its own", async () => {
  const { tollgate, entries, failures } = instance();
  answer = { status: 500, headers: { "retry-after-ms": "1" }, body: '{"error":{"message":"no"}}' };
  const client = tollgate.track(new OpenAI7({ apiKey: "sk-test", baseURL: url, maxRetries: 2 }));
  await expect(client.images.generate({ prompt: "x" })).rejects.toMatchObject({ status: 500 });
  expect(entries.map((entry) => [entry.cost, entry.unpriced, entry.estimated, entry.status])).toEqual(Array(3).fill(["0", false, null, "upstream_error"]));
  const broken = tollgate.track((() => { throw new TypeError("broken at once"); }) as unknown as typeof fetch);
  await expect(broken(`${url}/images/generations`, { method: "POST", body: "{}" })).rejects.toThrow("broken at once");
  expect(entries.at(-1)).toMatchObject({ unpriced: true, estimated: "no_status", status: "cut_short", httpStatus: null });
  await tollgate.flush();
  expect(failures.length).toBe(4);
  await tollgate.close();
});

test("behind a gateway that says its cost it is priced; the cost of a tracked response is there, and x-tollgate headers are read and stripped", async () => {
  const { tollgate, entries } = instance();
  answer = { status: 200, headers: { "x-litellm-response-cost": "0.04" }, body: "{}" };
  const response = await tollgate.track(fetch)(`${url}/images/generations`, { method: "POST", headers: { "x-tollgate-user": "bob", "content-type": "application/json" }, body: JSON.stringify({ model: "dall-e-3" }) });
  expect((await trackedCost(response))).toMatchObject({ total: "0.04", estimated: false, priceVersion: "gateway" });
  expect(entries).toMatchObject([{ cost: "40000000", unpriced: false, customer: "bob", model: "dall-e-3" }]);
  expect(seen[0]?.headers).not.toHaveProperty("x-tollgate-user");
  expect(seen[0]?.headers["content-type"]).toBe("application/json");
  await tollgate.close();
});

test("caps on the number of calls count what cannot be read, too", async () => {
  const { tollgate } = instance();
  const client = tollgate.track(new OpenAI7({ apiKey: "sk-test", baseURL: url, maxRetries: 0 }));
  await tollgate.withContext({ session: { id: "run-1", maxIterations: 2 } }, async () => {
    await client.images.generate({ prompt: "x" });
    await client.images.generate({ prompt: "x" });
    const error = await client.images.generate({ prompt: "x" }).catch((caught: unknown) => caught);
    expect(BudgetExceededError.from(error)?.scope).toBe("session");
  });
  expect(seen.length).toBe(2);
  await tollgate.close();
});

test("what a plain fetch sends elsewhere passes untouched: only paths of LLM APIs, and anything at a provider's host, may cost money", () => {
  const kind = (path: string, host: "any" | "provider" | "openai" = "any", method = "POST"): string | undefined => {
    const found = billable(method, path, host);
    return found?.kind === "unread" ? found.route : found?.type;
  };
  for (const path of ["/v1/files", "/api/orders", "/", "/webhooks/paid", "/v1/users/1/cancel"]) expect(kind(path), path).toBeUndefined();
  for (const [path, route] of [["/v1/messages", "messages"], ["/v1beta/models/gemini-2.5-flash:generateContent", "generateContent"], ["/v1/images/edits/", "images_edits"], ["/v1/threads/thread_abc123/runs", "threads_runs"], ["/openai/deployments/d/images/generations", "images_generations"], ["/v1/moderations", "moderations"]] as const) expect(kind(path), path).toBe(route);
  expect(kind("/v1/files", "provider")).toBe("files");
  expect(kind("/v1/files", "openai")).toBeUndefined();
  expect(kind("/v1/brand/new", "openai")).toBe("brand_new");
  expect(kind("/v1/things/thing_abc123def/spin", "provider")).toBe("spin");
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) expect(kind("/v1/chat/completions", "openai", method)).toBeUndefined();
  for (const path of ["/v1/responses/resp_1/cancel", "/v1/batches/batch_1/cancel", "/v1/chat/completions/chatcmpl-1", "/v1/messages/count_tokens", "/v1/responses/input_tokens"]) expect(kind(path, "provider"), path).toBeUndefined();
});
