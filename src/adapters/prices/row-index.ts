import type { ModelRow } from "./model-row.ts";

/** Finds a provider's row by one of its ids. A provider is indexed when it is first asked for. */
export class RowIndex {
  private readonly byProvider = new Map<string, Map<string, ModelRow>>();
  private readonly rows: (provider: string) => readonly ModelRow[];

  constructor(rows: (provider: string) => readonly ModelRow[]) {
    this.rows = rows;
  }

  /** The row that lists one of these ids, the nearest id first. */
  find(provider: string, ids: readonly string[]): ModelRow | undefined {
    let index = this.byProvider.get(provider);
    if (index === undefined) {
      index = new Map();
      for (const row of this.rows(provider)) for (const id of row.ids) index.set(id, row);
      this.byProvider.set(provider, index);
    }
    for (const id of ids) {
      const row = index.get(id);
      if (row !== undefined) return row;
    }
    return undefined;
  }
}
