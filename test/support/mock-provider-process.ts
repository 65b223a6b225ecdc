import { fork } from "node:child_process";
import { once } from "node:events";
import { type Behaviour, startMockProvider } from "./mock-provider.ts";

/** What can be said to a mock provider in another process. Prices are pico-dollars per token, decimal text. */
export interface MockProcessOptions {
  readonly port?: number;
  readonly seed?: number;
  readonly prices?: { readonly inputPico: string; readonly outputPico: string; readonly cachedPico?: string };
  readonly standard?: Behaviour;
  readonly models?: Readonly<Record<string, Behaviour>>;
}

export interface MockProcessBillEntry {
  readonly id: string;
  readonly model: string;
  readonly user: string | null;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly status: number;
  /** Decimal text. */
  readonly nanoUsd: string;
  readonly sentFully: boolean;
}

export interface MockProviderProcess {
  readonly url: string;
  readonly pid: number;
  /** Read from `GET /_bill`. */
  bill(): Promise<{ readonly entries: readonly MockProcessBillEntry[]; readonly totalNanoUsd: string }>;
  close(): Promise<void>;
}

/** Runs the mock provider as a child process, so that it outlives a gateway that is killed and shares no CPU with it. */
export async function startMockProviderProcess(options: MockProcessOptions = {}): Promise<MockProviderProcess> {
  const child = fork(import.meta.filename, [JSON.stringify(options)], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [message] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error("The mock provider did not start."))),
  ])) as [{ url: string }];
  return {
    url: message.url,
    pid: child.pid as number,
    bill: async () => (await (await fetch(`${message.url}/_bill`)).json()) as Awaited<ReturnType<MockProviderProcess["bill"]>>,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}

async function main(text: string): Promise<void> {
  const { prices, ...options } = JSON.parse(text) as MockProcessOptions;
  const provider = await startMockProvider({
    ...options,
    log: false,
    ...(prices === undefined
      ? {}
      : {
          prices: {
            inputPico: BigInt(prices.inputPico),
            outputPico: BigInt(prices.outputPico),
            ...(prices.cachedPico === undefined ? {} : { cachedPico: BigInt(prices.cachedPico) }),
          },
        }),
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url: provider.url });
}

if (process.argv[1] === import.meta.filename) await main(process.argv[2] ?? "{}");
