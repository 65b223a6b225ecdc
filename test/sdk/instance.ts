import { createTollgate, type TollgateOptions } from "../../src/app/sdk.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";
import type { Tollgate } from "../../src/surfaces/sdk/tollgate.ts";
import { startMockProvider, type MockProvider, type MockProviderOptions } from "../support/mock-provider.ts";

export const HELLO = [{ role: "user" as const, content: "Hello" }];
export const MODEL = "openai/gpt-4o-mini";

export interface SdkUnderTest {
  readonly provider: MockProvider;
  readonly tollgate: Tollgate;
  /** The ledger, as it was told. */
  readonly entries: Entry[];
  /** Nano-dollars of all entries. */
  spent(): bigint;
  stop(): Promise<void>;
}

/** An instance on a mock provider of its own, over real HTTP. */
export async function sdkUnderTest(options: TollgateOptions & { provider?: MockProviderOptions } = {}): Promise<SdkUnderTest> {
  const provider = await startMockProvider(options.provider ?? {});
  const entries: Entry[] = [];
  const tollgate = createTollgate({ ...options, defaults: { apiBase: `${provider.url}/v1`, apiKey: "sk-test", ...options.defaults }, onEntry: (entry) => entries.push(entry) });
  return {
    provider, tollgate, entries,
    spent: () => entries.reduce((sum, entry) => sum + BigInt(entry.cost), 0n),
    async stop() {
      await tollgate.close();
      await provider.close();
    },
  };
}
