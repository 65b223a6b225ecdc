import { createHook } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { expect, test } from "vitest";
import { testGateway } from "../support/gateway.ts";
import { startMockProviderProcess } from "../support/mock-provider-process.ts";
import { RawClient, rawPost } from "../support/raw-client.ts";
import { chat } from "../support/world.ts";

const PATH = "/v1/chat/completions";

/** The promises that lines of `src` make while `work` runs; what the libraries below them do is their own affair. */
async function promisesOf(work: () => Promise<void>): Promise<string[]> {
  const made: string[] = [];
  const hook = createHook({
    init(_id, type) {
      if (type !== "PROMISE") return;
      const frames = (new Error("where").stack ?? "").split("\n").slice(2).filter((frame) => !frame.includes("(node:") && !frame.includes("(<anonymous>)"));
      const place = /\/src\/[\w/.-]+\.ts:\d+/.exec(frames[0] ?? "")?.[0];
      if (place !== undefined) made.push(place);
    },
  });
  hook.enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return made;
}

test("GATE 8.6: requests, plain and streamed, admitted, refused and failed, make no promise on their way", async () => {
  const mock = await startMockProviderProcess();
  const gateway = await testGateway(`
model_list:
  - model_name: "*"
    litellm_params: { model: "openai/*", api_key: sk-up, api_base: "${mock.url}/v1", input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006 }
tollgate: { log_level: silent }`);
  try {
    const key = (await gateway.call("POST", "/key/generate", { max_budget: 1, rpm_limit: 100, tpm_limit: 1_000_000, max_parallel_requests: 10 })).body["key"] as string;
    const spent = (await gateway.call("POST", "/key/generate", { max_budget: 0 })).body["key"] as string;
    const ask = async (model: string, more: Record<string, unknown>, caller: string, status: number): Promise<void> => {
      const client = new RawClient(gateway.url);
      client.send(rawPost(PATH, caller, JSON.stringify(chat(model, more)), ["connection: close"]));
      expect(await client.end()).toMatch(new RegExp(`^HTTP/1\\.1 ${status}`));
    };
    // The first request of a key looks up what its limits begin with.
    await ask("gpt-4o-mini", {}, key, 200);
    await ask("gpt-4o-mini", {}, spent, 422);
    const made = await promisesOf(async () => {
      await ask("gpt-4o-mini", {}, key, 200);
      await ask("gpt-4o-mini", { stream: true }, key, 200);
      await ask("status-500", {}, key, 500);
      await ask("close-mid-body", {}, key, 502);
      await ask("gpt-4o-mini", {}, spent, 422);
    });
    expect(made).toEqual([]);
    // The look itself sees: management may await.
    expect(await promisesOf(async () => void (await gateway.call("GET", "/spend/logs")))).not.toEqual([]);
  } finally {
    await gateway.stop();
    await mock.close();
  }
});

test("GATE 8.6: nothing builds queries: statements are written out, and no dependency writes them for us", async () => {
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> };
  expect(Object.keys(dependencies).filter((name) => /kysely|knex|drizzle|sequelize|typeorm|prisma|mikro/.test(name))).toEqual([]);
  const text: string[] = [];
  for await (const path of glob("src/adapters/stores/sqlite/*.ts")) text.push(readFileSync(path, "utf8"));
  expect(text.join("\n")).toMatch(/INSERT\s+(OR\s+\w+\s+)?INTO entries/i);
});

test("GATE 8.6: the engine type-checks without Node, and so do base and domain", () => {
  const pure = JSON.parse(readFileSync("tsconfig.pure.json", "utf8")) as { compilerOptions: { types: string[]; lib: string[] }; include: string[] };
  expect(pure.compilerOptions.types).toEqual([]);
  expect(pure.compilerOptions.lib.filter((name) => /dom|node/i.test(name))).toEqual([]);
  expect(pure.include).toEqual(expect.arrayContaining([expect.stringMatching(/^src\/base/), expect.stringMatching(/^src\/domain/), expect.stringMatching(/^src\/engine/)]));
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  expect(scripts["types"]).toContain("tsc -p tsconfig.pure.json");
  expect(scripts["test"]).toContain("npm run types");
});
