import http from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTollgate } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

const CHUNK = (content: string, finish: string | null = null): string => `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
const USAGE = { prompt_tokens: 1_234, completion_tokens: 567, total_tokens: 1_801, prompt_tokens_details: { cached_tokens: 200 } };
const BYTES = Buffer.from(`${CHUNK("für 料金 ")}${CHUNK("🪙 and more")}${CHUNK("", "stop")}data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices: [], usage: USAGE })}\n\ndata: [DONE]\n\n`);

let cuts: readonly number[] = [];
let server: http.Server;
let url: string;
beforeAll(async () => {
  server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString())).on("end", () => {
      if (!body.includes('"stream":true')) {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ id: "c1", object: "chat.completion", created: 1, model: "gpt-4o-mini", choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "für 料金 🪙 and more" } }], usage: USAGE }));
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      const at = [0, ...[...new Set(cuts)].filter((cut) => cut < BYTES.length).sort((a, b) => a - b), BYTES.length];
      const pieces = at.slice(1).map((end, i) => BYTES.subarray(at[i], end)).filter((piece) => piece.length > 0);
      const next = (): void => {
        const piece = pieces.shift();
        if (piece === undefined) response.end();
        else response.write(piece, () => setImmediate(next));
      };
      next();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

test("a stream chopped at any byte positions costs what the plain answer costs, and reads the same", async () => {
  const entries: Entry[] = [];
  const tollgate = createTollgate({ onEntry: (entry) => entries.push(entry) });
  const client = tollgate.track(new OpenAI({ apiKey: "sk-test", baseURL: url }));
  const messages = [{ role: "user" as const, content: "Hi" }];
  await client.chat.completions.create({ model: "gpt-4o-mini", messages });
  const plain = entries[0]?.cost;
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: BYTES.length }), { maxLength: 40 }), async (positions) => {
    cuts = positions;
    entries.length = 0;
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe("für 料金 🪙 and more");
    expect(entries.map((entry) => [entry.cost, entry.estimated])).toEqual([[plain, null]]);
  }), { numRuns: 60 });
  await tollgate.close();
});
