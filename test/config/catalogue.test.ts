import { describe, expect, it } from "vitest";
import { createPriceBook } from "../../src/adapters/prices/price-book.ts";
import { providerEntry, routesOf, splitModel } from "../../src/adapters/providers/registry.ts";
import { createCatalogue, globalCharges } from "../../src/app/catalogue.ts";
import { loadConfig, type Environment } from "../../src/app/config/load-config.ts";
import { limitsOf } from "../../src/domain/limits/compile-limits.ts";
import { MINUTE_SLIDING, NOW } from "../../src/domain/windows/window.ts";
import { priceOf, type Catalogue, type Deployment } from "../../src/domain/upstream/deployment.ts";

const AT = Date.UTC(2026, 5, 1);
const book = createPriceBook();

const WIRE = ["content-type", "application/json", "accept-encoding", "identity"];

function catalogueOf(text: string, env: Environment = {}, simulatedUrl?: string): Catalogue {
  return createCatalogue({ config: loadConfig({ text, env }), book, env, simulatedUrl, at: AT });
}

function only(catalogue: Catalogue, name: string): Deployment {
  const deployments = catalogue.deployments(name);
  expect(deployments).toHaveLength(1);
  return deployments[0] as Deployment;
}

const one = (params: string, info = "{}"): string => `model_list: [{model_name: m, litellm_params: {${params}}, model_info: ${info}}]`;

describe("a deployment of model_list", () => {
  it("has route, key and limits of its own", () => {
    const deployment = only(catalogueOf(one("model: openai/gpt-4o-mini, api_key: k, rpm: 5, tpm: 100, max_parallel_requests: 2, max_budget: 0.5, budget_duration: 30d", "{id: d1}")), "m");
    expect(deployment).toMatchObject({
      id: "d1", provider: "openai", model: "gpt-4o-mini", origin: "https://api.openai.com", paths: expect.objectContaining({ chat_completions: "/v1/chat/completions" }),
      headers: ["authorization", "Bearer k", ...WIRE], capField: "max_completion_tokens", supportsStreamOptions: true, customPrice: undefined, simulated: false,
    });
    expect(deployment.charges.scopes).toEqual([{ kind: "deployment", id: "d1", label: "m" }]);
    expect(deployment.charges.limits.map(({ measure, cap, hard }) => [measure, cap, hard])).toEqual([
      ["nanoUsd", 500_000_000n, true], ["requests", 5n, true], ["tokens", 100n, true], ["slots", 2n, true],
    ]);
  });

  it("7.3 keeps several deployments of one name in their order", () => {
    const text = "model_list:\n  - {model_name: m, litellm_params: {model: openai/a, api_key: k}}\n  - {model_name: m, litellm_params: {model: groq/b, api_key: k}}\n  - {model_name: m, litellm_params: {model: openai/a, api_key: k}}";
    expect(catalogueOf(text).deployments("m").map(({ id }) => id)).toEqual(["m/openai/a", "m/groq/b", "m/openai/a#2"]);
  });

  it("on Azure goes to the deployment's path and has the price of its base model", () => {
    const deployment = only(catalogueOf(one("model: azure/east 1, api_key: k, api_base: 'https://east.example.com', api_version: '2025-01-01'", "{base_model: gpt-4o}")), "m");
    expect(deployment).toMatchObject({ origin: "https://east.example.com", paths: expect.objectContaining({ chat_completions: "/openai/deployments/east%201/chat/completions?api-version=2025-01-01" }), headers: ["api-key", "k", ...WIRE] });
    expect(deployment.customPrice?.rates).toEqual(book.find("azure", "gpt-4o", AT)?.rates);
    expect(deployment.customPrice).toBeDefined();
  });

  it("says its cap as max_tokens to a server that only speaks OpenAI's dialect", () => {
    expect(only(catalogueOf(one("model: openai/llama, api_base: 'http://localhost:8000/v1'")), "m")).toMatchObject({ capField: "max_tokens", origin: "http://localhost:8000", headers: WIRE });
  });

  it("2.3 has no price where nobody names one, and a price of zero only where it is written", () => {
    expect(priceOf(only(catalogueOf(one("model: vllm/llama, api_base: 'http://h/v1'")), "m"), book, AT)).toBeUndefined();
    const free = only(catalogueOf(one("model: vllm/llama, api_base: 'http://h/v1', input_cost_per_token: 0, output_cost_per_token: 0")), "m");
    expect(free.customPrice?.rates).toEqual({ input: { pico: 0n, per: 1n }, output: { pico: 0n, per: 1n } });
  });

  it("without an address is refused at the start, also behind a wildcard", () => {
    expect(() => catalogueOf(one("model: azure/x, api_key: k"))).toThrow(/AZURE_API_BASE/);
    expect(() => catalogueOf("model_list: [{model_name: 'vllm/*', litellm_params: {model: 'vllm/*'}}]")).toThrow(/HOSTED_VLLM_API_BASE/);
  });

  it("serves every name under a wildcard, all counted in its own limits", () => {
    const catalogue = catalogueOf("model_list: [{model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: k, rpm: 3}}]");
    expect(only(catalogue, "openai/gpt-4o")).toMatchObject({ id: "openai/*/openai/*", model: "gpt-4o", modelName: "openai/gpt-4o" });
    expect(catalogue.deployments("groq/gpt-4o")).toEqual([]);
  });
});

describe("provider/model itself", () => {
  it("is served when the provider's key is in the environment", () => {
    const catalogue = catalogueOf("", { OPENAI_API_KEY: " k\n", HOSTED_VLLM_API_BASE: "http://h:1/v1" });
    expect(only(catalogue, "openai/gpt-4o-mini")).toMatchObject({ model: "gpt-4o-mini", headers: ["authorization", "Bearer k", ...WIRE] });
    expect(only(catalogue, "vllm/llama")).toMatchObject({ origin: "http://h:1", headers: WIRE });
    for (const unknown of ["groq/x", "gpt-4o-mini", "openai/", "/x", "", "__proto__/x", "constructor", "vllm"]) expect(catalogue.deployments(unknown)).toEqual([]);
  });

  it("is no way around a model_list by a key that happens to be in the environment", () => {
    const text = one("model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY, max_budget: 1");
    expect(catalogueOf(text, { OPENAI_API_KEY: "k" }).deployments("openai/gpt-4o")).toEqual([]);
    expect(only(catalogueOf(`${text}\ntollgate: {providers: {openai: {api_key: p}}}`, { OPENAI_API_KEY: "k" }), "openai/gpt-4o").headers).toEqual(["authorization", "Bearer p", ...WIRE]);
  });

  it("10.2 lets no name choose the host, and no unpriced name a counter of its own", () => {
    const catalogue = catalogueOf("", { OPENAI_API_KEY: "k" });
    const names = ["openai/../../x", "openai/http://evil.example.com", "openai/@evil.example.com", "openai/?a=b"];
    for (const name of names) expect(only(catalogue, name)).toMatchObject({ id: "openai/*", origin: "https://api.openai.com", paths: expect.objectContaining({ chat_completions: "/v1/chat/completions" }) });
  });

  it("remembers its answers, up to a bound", () => {
    const catalogue = catalogueOf("", { OPENAI_API_KEY: "k" });
    const first = catalogue.deployments("openai/gpt-4o");
    expect(catalogue.deployments("openai/gpt-4o")).toBe(first);
    for (let i = 0; i < 1_100; i += 1) catalogue.deployments(`x${i}`);
    expect(catalogue.deployments("openai/gpt-4o")).not.toBe(first);
  });
});

describe("the simulated provider", () => {
  const URL = "http://127.0.0.1:4100/v1";

  it("serves well-known models at their real prices when nothing is configured", () => {
    const catalogue = catalogueOf("", {}, URL);
    expect(catalogue.modelNames()).toContain("gpt-4o-mini");
    const deployment = only(catalogue, "gpt-4o-mini");
    expect(deployment).toMatchObject({ provider: "simulated", simulated: true, origin: "http://127.0.0.1:4100", paths: expect.objectContaining({ chat_completions: "/v1/chat/completions" }), headers: WIRE });
    expect(deployment.customPrice?.rates).toEqual(book.find("openai", "gpt-4o-mini", AT)?.rates);
    expect(deployment.customPrice?.version).toMatch(/^simulated\//);
  });

  it("serves nothing once a real key is there, or when it is switched off", () => {
    expect(catalogueOf("", { OPENAI_API_KEY: "k" }, URL).deployments("gpt-4o-mini")).toEqual([]);
    expect(catalogueOf("tollgate: {simulated: never}", {}, URL).modelNames()).toEqual([]);
    expect(only(catalogueOf(one("model: openai/gpt-4o-mini, api_key: k"), {}, URL), "m").simulated).toBe(false);
  });

  it("serves the configured names, without any key, when it is always on", () => {
    const catalogue = catalogueOf(`${one("model: openai/gpt-4o-mini, api_key: k")}\ntollgate: {simulated: always}`, { OPENAI_API_KEY: "k" }, URL);
    expect(only(catalogue, "m")).toMatchObject({ provider: "simulated", headers: WIRE, origin: "http://127.0.0.1:4100" });
    expect(catalogue.deployments("openai/gpt-4o")).toEqual([]);
  });
});

describe("limits", () => {
  const scope = { kind: "key", id: "1", label: "ci" } as const;
  const policy = { tokenRateLimitType: "input", timeZone: "Europe/Berlin", weekStart: 1 } as const;

  it("4.6 name their window as it is understood, and absent fields limit nothing", () => {
    expect(limitsOf({ scope, ...policy })).toEqual([]);
    expect(limitsOf({ scope, ...policy, maxBudgetNanoUsd: 0n, softBudgetNanoUsd: 1n, budgetDuration: "monthly", rpm: 0, tpm: 7, maxParallelRequests: 1, model: "m" })).toEqual([
      { scope, model: "m", measure: "nanoUsd", cap: 0n, hard: true, windowText: "1mo", window: { kind: "aligned", duration: { count: 1, unit: "mo" }, zone: "Europe/Berlin", weekStart: 1 } },
      { scope, model: "m", measure: "nanoUsd", cap: 1n, hard: false, windowText: "1mo", window: { kind: "aligned", duration: { count: 1, unit: "mo" }, zone: "Europe/Berlin", weekStart: 1 } },
      { scope, model: "m", measure: "requests", cap: 0n, hard: true, windowText: "1m", window: MINUTE_SLIDING },
      { scope, model: "m", measure: "inputTokens", cap: 7n, hard: true, windowText: "1m", window: MINUTE_SLIDING },
      { scope, model: "m", measure: "slots", cap: 1n, hard: true, windowText: undefined, window: NOW },
    ]);
  });

  it("of the whole gateway come from litellm_settings", () => {
    const charges = globalCharges(loadConfig({ text: "litellm_settings: {max_budget: 10}\ntollgate: {soft_budget: 8}", env: {} }));
    expect(charges.limits.map(({ cap, hard, window }) => [cap, hard, window.kind])).toEqual([[10_000_000_000n, true, "lifetime"], [8_000_000_000n, false, "lifetime"]]);
  });
});

describe("the table of providers", () => {
  it("knows prefixes, aliases and names without a prefix", () => {
    expect(splitModel("together_ai/a/b")).toMatchObject({ provider: { name: "together" }, model: "a/b" });
    expect(splitModel("gpt-4o")?.provider.name).toBe("openai");
    for (const text of ["llama", "nope/x", "/x", "openai/"]) expect(splitModel(text)).toBeUndefined();
  });

  it("finds Ollama's compatible route from the bare host", () => {
    expect(routesOf(providerEntry("ollama") as never, "http://localhost:11434", "m").paths.chat_completions).toBe("/v1/chat/completions");
  });
});

it("never calls a real provider in place of a simulated one that does not run", () => {
  expect(() => catalogueOf("tollgate: {simulated: always}", { OPENAI_API_KEY: "k" })).toThrow(expect.objectContaining({ code: "config_invalid" }));
});
