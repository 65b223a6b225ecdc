import { BOOK_TEXT } from "./book.ts";
import type { CompiledBook } from "./price-book.ts";
import { providerOfBook } from "./provider-names.ts";
import { SUPPLEMENT_TEXT } from "./supplement-rows.ts";
import type { Supplement } from "./supplement.ts";

/** A model by our name of its provider, and the provider's own name of it. */
export interface ListedModel {
  readonly provider: string;
  readonly model: string;
}

/** Every model of this release's lists by its plain ids; dated snapshots are found by the book, but not listed one by one. */
export function listModels(): readonly ListedModel[] {
  const found = new Map<string, ListedModel>();
  const add = (listed: string, ids: readonly string[]): void => {
    const provider = providerOfBook(listed);
    if (provider === undefined) return;
    for (const model of ids) if (!model.includes("{")) found.set(`${provider}/${model}`, { provider, model });
  };
  const { providers } = JSON.parse(BOOK_TEXT) as CompiledBook;
  for (const [listed, { models }] of Object.entries(providers)) for (const row of models) add(listed, row.ids);
  const supplement = JSON.parse(SUPPLEMENT_TEXT) as Supplement;
  for (const row of supplement.prices) add(row.provider, row.ids);
  for (const row of supplement.aliases) add(row.provider, row.ids);
  return [...found.values()];
}
