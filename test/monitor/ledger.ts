import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LedgerWriter } from "../../src/adapters/stores/sqlite/ledger-writer.ts";
import { openForWriting } from "../../src/adapters/stores/sqlite/schema.ts";
import { ulidTime } from "../../src/base/ids.ts";
import type { Entry } from "../../src/domain/ledger/entry.ts";

export interface Spend {
  readonly at: number | string;
  /** Nano-dollars. */
  readonly cost: bigint;
  readonly user?: string;
  readonly model?: string;
  readonly key?: string;
  readonly tags?: readonly string[];
  readonly unpriced?: boolean;
}

export const usd = (amount: number): bigint => BigInt(Math.round(amount * 1e6)) * 1_000n;

/** A real ledger in a folder of its own. */
export class TestLedger {
  readonly folder = mkdtempSync(join(tmpdir(), "tollgate-monitor-"));
  readonly path = join(this.folder, "ledger.db");
  private readonly database = openForWriting(this.path);
  private readonly writer = new LedgerWriter(this.database);
  private count = 0;

  write(spends: readonly Spend[]): void {
    const entries = spends.map((spend) => this.entry(spend));
    this.writer.write([{ entries, balances: [], lastSequence: this.count }]);
  }

  remove(): void {
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private entry({ at, cost, user, model = "gpt-4o", key, tags, unpriced = false }: Spend): Entry {
    const instant = typeof at === "number" ? at : Date.parse(at);
    this.count += 1;
    const requestId = `${ulidTime(instant)}${String(this.count).padStart(16, "0")}`;
    return {
      id: `${requestId}.01`, kind: "charge", counter: null, requestId, attemptId: `${requestId}.01`, at: instant, scopes: key === undefined ? "global" : `global,key:${key}`, keyId: key ?? null, teamId: null, userId: null, customer: user ?? null, model, provider: "openai",
      upstreamModel: model, deployment: "d", route: "chat", stream: false, tags: tags === undefined ? null : JSON.stringify(tags), metadata: null, held: "0", cost: cost.toString(), overage: "0", estimated: null, status: "ok", httpStatus: 200,
      lines: null, priceVersion: "v", unpriced, inputTokens: 100, outputTokens: 50, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 5,
    } satisfies Entry;
  }
}
