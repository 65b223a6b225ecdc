import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Entry } from "../../../domain/ledger/entry.ts";
import { QUARTER_MS } from "./schema.ts";

interface Sums {
  readonly scope: string;
  readonly quarter: number;
  readonly model: string;
  readonly provider: string;
  requests: number;
  cost: bigint;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  estimated: number;
}

const UPSERT = `INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, quarter, model, provider) DO UPDATE SET
  requests = requests + excluded.requests, cost = cost + excluded.cost, input_tokens = input_tokens + excluded.input_tokens,
  output_tokens = output_tokens + excluded.output_tokens, cached_tokens = cached_tokens + excluded.cached_tokens,
  estimated = estimated + excluded.estimated`;

/** The roll-ups of one transaction: summed in memory, so that a row that a thousand entries share is written once. */
export class RollupSums {
  private readonly upsert: StatementSync;
  private readonly sums = new Map<string, Sums>();

  constructor(database: DatabaseSync) {
    this.upsert = database.prepare(UPSERT);
  }

  /** Call it for entries that were really inserted, or a replay would count twice. */
  add(entry: Entry): void {
    // An adjustment moves a balance and is no cost: it is in no report (GATE 1.3).
    if (entry.kind === "adjustment") return;
    const quarter = Math.floor(entry.at / QUARTER_MS);
    const cost = BigInt(entry.cost);
    for (const scope of entry.scopes.split(",")) {
      const key = `${scope}\n${quarter}\n${entry.model}\n${entry.provider}`;
      let sums = this.sums.get(key);
      if (sums === undefined) {
        sums = { scope, quarter, model: entry.model, provider: entry.provider, requests: 0, cost: 0n, inputTokens: 0, outputTokens: 0, cachedTokens: 0, estimated: 0 };
        this.sums.set(key, sums);
      }
      if (entry.kind === "charge") sums.requests += 1;
      sums.cost += cost;
      sums.inputTokens += entry.inputTokens;
      sums.outputTokens += entry.outputTokens;
      sums.cachedTokens += entry.cachedTokens;
      if (entry.estimated !== null) sums.estimated += 1;
    }
  }

  /** Writes the sums in the order of the table, so that neighbours share pages, and forgets them. */
  flush(): void {
    for (const key of [...this.sums.keys()].sort()) {
      const sums = this.sums.get(key);
      if (sums === undefined) continue;
      this.upsert.run(sums.scope, sums.quarter, sums.model, sums.provider, sums.requests, sums.cost, sums.inputTokens, sums.outputTokens, sums.cachedTokens, sums.estimated);
    }
    this.sums.clear();
  }

  clear(): void {
    this.sums.clear();
  }
}
