import { performance } from "node:perf_hooks";
import type { Clock } from "../../src/base/clock.ts";
import { testGateway } from "./gateway.ts";
import { startMockProvider, type MockProvider, type MockProviderOptions } from "./mock-provider.ts";

export type Gateway = Awaited<ReturnType<typeof testGateway>>;

export interface World {
  readonly mock: MockProvider;
  readonly gateway: Gateway;
  readonly time: TestTime;
  /** A virtual key. */
  key(fields?: Record<string, unknown>): Promise<string>;
  /** What `/key/info` says of a key. */
  keyInfo(key: string): Promise<KeyInfo>;
  requestDetails(callId: string): Promise<RequestDetails>;
  stop(): Promise<void>;
}

export interface KeyInfo {
  readonly spend: number;
  readonly tollgate: { readonly id: string; readonly held: number; readonly lifetime_spend: number };
}

export interface RequestDetails {
  readonly cost: string;
  readonly entries: readonly { readonly cost: string; readonly held: string; readonly overage: string; readonly estimated: string | null; readonly status: string; readonly scopes: string; readonly lines: readonly unknown[] }[];
  readonly refusal: Record<string, unknown> | null;
}

/** The machine's time, moved forward at will. */
export class TestTime implements Clock {
  private ahead = 0;

  now(): number {
    return Date.now() + this.ahead;
  }

  monotonic(): number {
    return performance.now() + this.ahead;
  }

  advance(byMs: number): void {
    this.ahead += byMs;
  }

  /** Moves to an instant, epoch milliseconds. */
  to(epochMs: number): void {
    this.ahead = epochMs - Date.now();
  }
}

export interface WorldOptions {
  readonly mock?: MockProviderOptions;
  /** Lines of `litellm_settings`, `general_settings` and so on. */
  readonly yaml?: string;
  /** Members of `tollgate`, in YAML's flow style. */
  readonly tollgate?: string;
  /** More members of the deployments' `litellm_params`, in flow style. */
  readonly deployment?: string;
  /** More entries of `model_list`, each from its dash. */
  readonly models?: (mockUrl: string) => string;
  readonly folder?: string;
}

/**
 * A gateway before a mock provider. `gpt-4o-mini` is an ordinary model; `m/NAME` behaves as the mock's NAME and costs
 * the same.
 */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const mock = await startMockProvider(options.mock ?? {});
  const time = new TestTime();
  const more = options.deployment === undefined ? "" : `, ${options.deployment}`;
  const wire = `api_key: sk-upstream, api_base: "${mock.url}/v1"${more}`;
  const gateway = await testGateway(`
${options.yaml ?? ""}
model_list:
  - model_name: gpt-4o-mini
    litellm_params: { model: openai/gpt-4o-mini, ${wire} }
  - model_name: "m/*"
    litellm_params: { model: "openai/*", ${wire}, input_cost_per_token: 0.00000015, cache_read_input_token_cost: 0.000000075, output_cost_per_token: 0.0000006 }
${options.models?.(mock.url) ?? ""}
tollgate: { log_level: silent${options.tollgate === undefined ? "" : `, ${options.tollgate}`} }
`, options.folder, time).catch(async (error: unknown) => {
    await mock.close();
    throw error;
  });
  return {
    mock, gateway, time,
    key: async (fields = {}) => {
      const made = await gateway.call("POST", "/key/generate", fields);
      if (made.status !== 200) throw new Error(JSON.stringify(made.body));
      return made.body["key"] as string;
    },
    keyInfo: async (key) => (await gateway.call("GET", `/key/info?key=${key}`)).body["info"] as KeyInfo,
    requestDetails: async (callId) => (await gateway.call("GET", `/v1/tollgate/requests/${callId}`)).body as unknown as RequestDetails,
    stop: async () => {
      await gateway.stop();
      await mock.close();
    },
  };
}

/** A small chat request. */
export function chat(model = "gpt-4o-mini", more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model, max_tokens: 100, messages: [{ role: "user", content: "Hello there" }], ...more };
}

/** Waits until something holds, looking often; fails after five seconds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > 5_000) throw new Error(`Never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
