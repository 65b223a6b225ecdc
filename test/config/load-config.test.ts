import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadConfig, type Environment } from "../../src/app/config/load-config.ts";
import { checkMasterKey } from "../../src/app/config/master-key.ts";
import { nearestName } from "../../src/base/nearest.ts";
import { TollgateError } from "../../src/base/errors.ts";

function problemsOf(text: string, env: Environment = {}): { readonly message: string; readonly problems: readonly string[] } {
  try {
    loadConfig({ text, env });
  } catch (error) {
    if (error instanceof TollgateError && error.code === "config_invalid") return { message: error.message, problems: error.details?.["problems"] as readonly string[] };
    throw error;
  }
  throw new Error("the configuration was accepted");
}

const entry = (params: string): string => `model_list:\n  - model_name: m\n    litellm_params:\n      model: openai/gpt-4o-mini\n${params.replaceAll(/^/gm, "      ")}`;

describe("a configuration that is refused", () => {
  it.each([
    ["model_lst: []", "model_lst", 'did you mean "model_list"'],
    [entry("max_buget: 1"), "model_list[0].litellm_params.max_buget", 'did you mean "max_budget"'],
    [entry("supports_stream_options: false"), "model_list[0].litellm_params.supports_stream_options", "it belongs in model_info of a model."],
    ["max_budget: 10", "max_budget", "it belongs in litellm_settings or litellm_params of a model."],
    ["litellm_settings: {master_key: sk-0123456789abcdef}", "litellm_settings.master_key", "it belongs in general_settings."],
    ["general_settings: {drain_ms: 1}", "general_settings.drain_ms", "it belongs in tollgate."],
    [entry("max_budget: -1"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: -0"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: .nan"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: .inf"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: 0x10"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: ten"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("max_budget: true"), "model_list[0].litellm_params.max_budget", "text"],
    [entry("max_budget: 1e30"), "model_list[0].litellm_params.max_budget", "decimal number"],
    [entry("rpm: 1.5"), "model_list[0].litellm_params.rpm", "whole number"],
    [entry("rpm: -1"), "model_list[0].litellm_params.rpm", "whole number"],
    [entry("budget_duration: 0d"), "model_list[0].litellm_params.budget_duration", "whole number from 1"],
    [entry("budget_duration: 30"), "model_list[0].litellm_params.budget_duration", "unit"],
    [entry("input_cost_per_token: free"), "model_list[0].litellm_params.input_cost_per_token", "dollars per unit"],
    [entry("api_base: localhost:8000"), "model_list[0].litellm_params.api_base", "http"],
    [entry("api_base: http://user:secret@h/v1"), "model_list[0].litellm_params.api_base", "without user"],
    [entry("api_key: os.environ/ABSENT"), "model_list[0].litellm_params.api_key", "ABSENT is not set"],
    [entry("api_key: \"a\\r\\nx-evil: 1\""), "model_list[0].litellm_params.api_key", "printable ASCII"],
    [entry("itpm: 5"), "model_list[0].litellm_params.itpm", "limits money or access"],
    ["model_list:\n  - litellm_params: {model: openai/x}", "model_list[0].model_name", "a name"],
    ["model_list:\n  - model_name: m", "model_list[0].litellm_params.model", "provider/model"],
    ["model_list:\n  - model_name: m\n    litellm_params: {model: opnai/x}", "model_list[0].litellm_params.model", 'did you mean "openai"'],
    ["model_list:\n  - model_name: m\n    litellm_params: {model: openai/x}\n    model_info: {team_id: t}", "model_list[0].model_info.team_id", "limits money or access"],
    ["model_list: {}", "model_list", "a list"],
    ["model_list:\n  - [model_name]", "model_list[0]", "a mapping"],
    ["a: *missing", "the YAML", "no anchor"],
    ["- a", "the file", "a mapping"],
    ["litellm_settings: {max_end_user_budget_id: b}", "litellm_settings.max_end_user_budget_id", "limits money or access"],
    ["litellm_settings: {timezone: Mars/Base}", "litellm_settings.timezone", "IANA"],
    ["litellm_settings: {budget_exceeded_status_code: 200}", "litellm_settings.budget_exceeded_status_code", "400 to 499"],
    ["general_settings: {token_rate_limit_type: both}", "general_settings.token_rate_limit_type", "total, input, output"],
    ["general_settings: {allowed_ips: [\"::1\"]}", "general_settings.allowed_ips", "limits money or access"],
    ["router_settings: {provider_budget_config: {}}", "router_settings.provider_budget_config", "limits money or access"],
    ["tollgate: {unpriced: free}", "tollgate.unpriced", "block, estimate, allow"],
    ["tollgate: {week_start: 7}", "tollgate.week_start", "0 to 6"],
    ["tollgate: {metrics_auth: maybe}", "tollgate.metrics_auth", "true or false"],
    ["tollgate: {providers: {opnai: {}}}", "tollgate.providers.opnai", 'did you mean "openai"'],
    ["tollgate: {providers: {openai: {key: k}}}", "tollgate.providers.openai.key", "known name"],
    ["a: [", "line", "malformed"],
    ["tollgate: {}\ntollgate: {}", "line", "duplicate"],
  ])("%s", (text, path, sentence) => {
    const { problems } = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(path);
    expect(problems[0]).toContain(sentence);
  });

  it("tells all problems at once", () => {
    const { message, problems } = problemsOf(`${entry("rpm: x\nmax_budget: -1\nfoo: 1")}\ntollgate: {week_start: 9}`);
    expect(problems).toHaveLength(4);
    for (const problem of problems) expect(message).toContain(problem);
  });

  it("never quotes a value, wherever a secret was put", () => {
    const secret = "sk-VerySecret-0123456789";
    const texts = [
      ...["rpm", "max_budget", "budget_duration", "input_cost_per_token", "api_base"].map((name) => entry(`${name}: ${secret}`)),
      entry("rpm: os.environ/KEY"), entry(`api_key: [${secret}]`), entry(`api_key: "${secret} "\nrpm: x`),
      `general_settings: {master_key: "${secret}`, `general_settings: {master_key: *${secret}}`, `tollgate: {unpriced: ${secret}}`,
      `litellm_settings: {timezone: ${secret}}`, `tollgate: {metrics_auth: ${secret}}`,
    ];
    for (const text of texts) expect(JSON.stringify(problemsOf(text, { KEY: secret }))).not.toContain("VerySecret");
  });

  it("stops at aliases that multiply", () => {
    const lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"];
    for (let i = 1; i < 9; i += 1) lines.push(`a${i}: &a${i} [${`*a${i - 1},`.repeat(10)}]`);
    expect(problemsOf(lines.join("\n")).problems[0]).toContain("too large");
  });

  it("says that a file cannot be read", () => {
    expect(() => loadConfig({ file: "/nowhere/config.yaml", env: {} })).toThrow(expect.objectContaining({ code: "config_unreadable" }));
  });
});

describe("a configuration that is read", () => {
  it("5.5, 5.7, 7.4, 10.1, 10.2: has the documented defaults when there is none", () => {
    expect(loadConfig({ env: {} })).toEqual({
      models: [], globalBudget: {}, timeZone: "UTC", weekStart: 0, budgetExceededStatus: 422, tokenRateLimitType: "total", unpriced: "allow",
      onDisconnect: "drain", drainMs: 30_000, requestTimeoutMs: 600_000, idleTimeoutMs: 120_000, shutdownMs: 25_000, bodyLimitBytes: 10_485_760,
      customersPerMinute: 100, providers: {}, environment: {}, logLevel: "info", simulated: "auto", metricsAuth: true, warnings: [],
    });
  });

  it.each([
    ["10", 10_000_000_000n], ["0.1", 100_000_000n], ["0.3", 300_000_000n], ["1e-9", 1n], ["0.0000000019", 1n], ["0", 0n], ["\"0.05\"", 50_000_000n],
    ["9007199.254740993", 9_007_199_254_740_993n], ["1234567890.123456789", 1_234_567_890_123_456_789n],
  ])("10.5 reads an amount of %s exactly, rounded down", (text, nanoUsd) => {
    expect(loadConfig({ text: entry(`max_budget: ${text}`), env: {} }).models[0]?.maxBudgetNanoUsd).toBe(nanoUsd);
  });

  it("keeps price fields as they were written, litellm_params before model_info", () => {
    const text = `${entry("input_cost_per_token: 0.00000015000000000001\noutput_cost_per_token: 6e-7")}\n    model_info:\n      input_cost_per_token: 1\n      cache_read_input_token_cost: 0`;
    expect(loadConfig({ text, env: {} }).models[0]?.priceFields).toEqual({ input_cost_per_token: "0.00000015000000000001", output_cost_per_token: "6e-7", cache_read_input_token_cost: "0" });
  });

  it("reads a LiteLLM configuration as it stands, and warns of what has no function", () => {
    const text = `
environment_variables:
  AZURE_KEY: azure-secret
model_list:
  - model_name: gpt-4o
    litellm_params: &azure
      model: azure/my-deployment
      api_base: os.environ/AZURE_BASE
      api_key: os.environ/AZURE_KEY
      api_version: "2024-10-21"
      rpm: 900
      timeout: 30
    model_info: {id: east, base_model: gpt-4o, mode: chat}
  - model_name: gpt-4o
    litellm_params:
      <<: *azure
      rpm: 100
  - model_name: claude
    litellm_params: {model: claude-sonnet-4-5, api_key: k, tpm: 1_000}
  - model_name: open
    litellm_params: {model: openrouter/meta-llama/llama-3.3-70b-instruct, api_key: k}
litellm_settings: {max_budget: 100, budget_duration: monthly, callbacks: [prometheus], timezone: Europe/Berlin}
general_settings: {master_key: os.environ/MASTER, database_url: postgres://x}
router_settings: {routing_strategy: simple-shuffle, optional_pre_call_checks: [router_budget_limiting, prompt_caching]}
`;
    const config = loadConfig({ text, env: { AZURE_BASE: "https://east.example.com/", MASTER: "sk-from-the-file-0123" } });
    expect(config.models.map(({ id, provider, model, rpm }) => [id, provider, model, rpm])).toEqual([
      ["east", "azure", "my-deployment", 900],
      ["gpt-4o/azure/my-deployment", "azure", "my-deployment", 100],
      ["claude/anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", undefined],
      ["open/openrouter/meta-llama/llama-3.3-70b-instruct", "openrouter", "meta-llama/llama-3.3-70b-instruct", undefined],
    ]);
    expect(config.models[0]).toMatchObject({ apiKey: "azure-secret", apiBase: "https://east.example.com", baseModel: "gpt-4o" });
    expect(config.models[2]?.tpm).toBe(1000);
    expect(config.globalBudget).toEqual({ maxBudgetNanoUsd: 100_000_000_000n, budgetDuration: "monthly" });
    expect(config).toMatchObject({ masterKey: "sk-from-the-file-0123", timeZone: "Europe/Berlin" });
    expect(new Set(config.warnings.map((warning) => warning.split(" ", 1)[0]))).toEqual(new Set([
      "litellm_settings.callbacks", "general_settings.database_url", "router_settings.routing_strategy", "router_settings.optional_pre_call_checks",
      "model_list[0].litellm_params.timeout", "model_list[0].model_info.mode", "model_list[1].litellm_params.timeout",
    ]));
  });

  it("10.4 takes the master key from the environment before the file", () => {
    const text = "general_settings: {master_key: from-the-file-0123456}";
    expect(loadConfig({ text, env: { TOLLGATE_MASTER_KEY: "from-the-environment" } }).masterKey).toBe("from-the-environment");
    expect(loadConfig({ text, env: {} }).masterKey).toBe("from-the-file-0123456");
  });

  it("no key of the file reaches a prototype", () => {
    expect(problemsOf("__proto__: {polluted: 1}\nconstructor: 1").problems).toHaveLength(2);
    const config = loadConfig({ text: "environment_variables: {__proto__: x}", env: {} });
    expect(Object.getPrototypeOf(config.environment)).toBe(Object.prototype);
  });

  it("the example in the repository is valid and warns of nothing", () => {
    const env = { OPENAI_API_KEY: "a", ANTHROPIC_API_KEY: "b", TOLLGATE_MASTER_KEY: "sk-0123456789abcdef" };
    expect(loadConfig({ text: readFileSync("tollgate.example.yaml", "utf8"), env }).warnings).toEqual([]);
  });
});

describe("10.4 a weak master key", () => {
  it.each([["sk-1234", "0.0.0.0"], ["short", "192.168.1.5"], ["aaaaaaaaaaaaaaaaaaaaaaaa", "::"], ["sk-1234", "gateway.example.com"], ["sk-1234", "127.0.0.1.example.com"]])("%s on %s is refused", (key, host) => {
    expect(() => checkMasterKey(key, host)).toThrow(expect.objectContaining({ code: "weak_master_key" }));
  });
  it.each([["sk-1234", "127.0.0.1"], ["sk-1234", "localhost"], ["sk-1234", "::1"], ["sk-Zk3v9Qm2Lx8Rt5Wp", "0.0.0.0"]])("%s on %s is allowed", (key, host) => {
    checkMasterKey(key, host);
  });
});

it("the nearest name forgives case and separators, and guesses nothing far", () => {
  expect(nearestName("maxBudget", ["max_budget", "tpm"])).toBe("max_budget");
  expect(nearestName("zebra", ["max_budget", "tpm"])).toBeUndefined();
});
