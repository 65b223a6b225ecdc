import type { ModelInfo, Price, PriceBook } from "../../domain/pricing/price.ts";
import { BOOK_TEXT } from "./book.ts";
import type { LitellmMap } from "./litellm-map.ts";
import { listedIds, toRates, toTiers, type ModelRow } from "./model-row.ts";
import { bookProvider, litellmProviders } from "./provider-names.ts";
import { RowIndex } from "./row-index.ts";
import { inForce } from "./schedule.ts";
import { SUPPLEMENT_TEXT } from "./supplement-rows.ts";
import { supplementRows, type Supplement } from "./supplement.ts";

/** The text in `book.ts`, as `scripts/compile-prices.ts` writes it. */
export interface CompiledBook {
  /** Name and version of the list it was compiled from. */
  readonly source: string;
  readonly providers: Readonly<Record<string, { readonly fallback: readonly string[]; readonly models: readonly ModelRow[] }>>;
}

export interface PriceBookOptions {
  /** The operator's own prices; they win over every list, for exactly the provider and model that they name. */
  readonly custom?: readonly Price[];
  /** Instead of the supplement of this release. */
  readonly supplement?: Supplement;
  /** Instead of the compiled book of this release. */
  readonly compiled?: CompiledBook;
  /** Asked last: a LiteLLM-format map (`loadLitellmMap`). */
  readonly litellmMap?: LitellmMap;
}

/** An answer and how long it holds. */
interface Found {
  readonly price: Price | undefined;
  readonly from: number;
  readonly until: number;
}

/** Names come from outside: an answer is remembered for at most this many of them, then all are forgotten. */
const REMEMBERED_MAX = 4_096;
/** No provider has longer names; a longer one is not looked up. */
const NAME_LENGTH_MAX = 256;

/**
 * The price book: the operator's prices, then our dated supplement, then the compiled list, then a LiteLLM map.
 * Nothing is read before the first look-up, and a repeated look-up costs two map hits.
 * @example createPriceBook().find("openai", "gpt-4o-mini-2024-07-18", Date.now())?.rates.input // { pico: 150000n, per: 1n }
 */
export function createPriceBook(options: PriceBookOptions = {}): PriceBook {
  return new LayeredPriceBook(options);
}

class LayeredPriceBook implements PriceBook {
  private readonly options: PriceBookOptions;
  private readonly custom = new Map<string, Map<string, Price>>();
  private lists: Lists | undefined;
  private prices = new Map<string, Map<string, Found>>();
  private infos = new Map<string, Map<string, { readonly info: ModelInfo | undefined }>>();
  private remembered = 0;

  constructor(options: PriceBookOptions) {
    this.options = options;
    for (const price of options.custom ?? []) nested(this.custom, price.provider).set(price.model, price);
  }

  get version(): string {
    const { supplement, compiled } = this.open();
    const map = this.options.litellmMap;
    return `${compiled.source}+supplement@${supplement.version}${map === undefined ? "" : `+${map.version}`}`;
  }

  find(provider: string, model: string, at: number): Price | undefined {
    const known = this.prices.get(provider)?.get(model);
    if (known !== undefined && at >= known.from && at < known.until) return known.price;
    if (provider.length > NAME_LENGTH_MAX || model.length > NAME_LENGTH_MAX) return undefined;
    const found = this.search(provider, model, at);
    this.remember();
    nested(this.prices, provider).set(model, found);
    return found.price;
  }

  info(provider: string, model: string): ModelInfo | undefined {
    const known = this.infos.get(provider)?.get(model);
    if (known !== undefined) return known.info;
    if (provider.length > NAME_LENGTH_MAX || model.length > NAME_LENGTH_MAX) return undefined;
    const info = this.searchInfo(provider, model);
    this.remember();
    nested(this.infos, provider).set(model, { info });
    return info;
  }

  private remember(): void {
    this.remembered += 1;
    if (this.remembered <= REMEMBERED_MAX) return;
    this.prices = new Map();
    this.infos = new Map();
    this.remembered = 1;
  }

  private search(provider: string, model: string, at: number): Found {
    const always = { from: -Infinity, until: Infinity };
    const own = this.custom.get(provider)?.get(model);
    if (own !== undefined) return { price: own, ...always };
    const lists = this.open();
    const ids = listedIds(model);
    for (const listed of lists.providers(provider)) {
      const row = lists.supplementIndex.find(listed, ids);
      if (row !== undefined) return lists.priced(`supplement@${lists.supplement.version}`, provider, listed, row, at);
      const compiled = lists.compiledRow(listed, ids);
      if (compiled !== undefined) return lists.priced(lists.compiled.source, provider, listed, compiled, at);
    }
    const map = this.options.litellmMap;
    if (map !== undefined) {
      for (const listed of litellmProviders(provider)) {
        const price = map.find(listed, ids)?.price;
        if (price !== undefined) return { price: { ...price, provider }, ...always };
      }
    }
    return { price: undefined, ...always };
  }

  private searchInfo(provider: string, model: string): ModelInfo | undefined {
    const lists = this.open();
    const ids = listedIds(model);
    let maximumOutput: number | undefined;
    let contextWindow: number | undefined;
    for (const listed of lists.providers(provider)) {
      const ours = lists.supplementIndex.find(listed, ids);
      const compiled = lists.compiledRow(listed, ours === undefined ? ids : [...ids, ours.id.toLowerCase()]);
      const limit = lists.limit(listed, [...ids, ...[ours, compiled].flatMap((row) => row?.id ?? [])]);
      maximumOutput = limit?.maximumOutput;
      contextWindow = limit?.contextWindow ?? ours?.window ?? compiled?.window;
      if (limit !== undefined || ours !== undefined || compiled !== undefined) break;
    }
    for (const listed of litellmProviders(provider)) {
      const entry = this.options.litellmMap?.find(listed, ids);
      maximumOutput ??= entry?.maximumOutput;
      contextWindow ??= entry?.contextWindow;
    }
    return maximumOutput === undefined && contextWindow === undefined ? undefined : { maximumOutput, contextWindow };
  }

  private open(): Lists {
    this.lists ??= new Lists(this.options.supplement ?? (JSON.parse(SUPPLEMENT_TEXT) as Supplement), this.options.compiled ?? (JSON.parse(BOOK_TEXT) as CompiledBook));
    return this.lists;
  }
}

type Limit = Supplement["limits"][number];

/** The two lists in our repository, parsed and indexed. */
class Lists {
  readonly supplement: Supplement;
  readonly compiled: CompiledBook;
  readonly supplementIndex: RowIndex;
  private readonly compiledIndex: RowIndex;
  private readonly compiledProviders: ReadonlyMap<string, CompiledBook["providers"][string]>;
  private readonly aliases = new Map<string, Map<string, string>>();
  private readonly limits = new Map<string, Map<string, Limit>>();
  private readonly built = new Map<string, Price>();

  constructor(supplement: Supplement, compiled: CompiledBook) {
    this.supplement = supplement;
    this.compiled = compiled;
    this.compiledProviders = new Map(Object.entries(compiled.providers));
    const rows = supplementRows(supplement);
    this.supplementIndex = new RowIndex((provider) => rows.get(provider) ?? []);
    this.compiledIndex = new RowIndex((provider) => this.compiledProviders.get(provider)?.models ?? []);
    for (const alias of supplement.aliases) for (const id of alias.ids) nested(this.aliases, alias.provider).set(id, alias.of.toLowerCase());
    for (const limit of supplement.limits) for (const id of limit.ids) nested(this.limits, limit.provider).set(id.toLowerCase(), limit);
  }

  /** The provider in the lists, then those whose models it resells at their price. */
  providers(provider: string): readonly string[] {
    const listed = bookProvider(provider);
    return listed === undefined ? [] : [listed, ...(this.compiledProviders.get(listed)?.fallback ?? [])];
  }

  compiledRow(provider: string, ids: readonly string[]): ModelRow | undefined {
    const row = this.compiledIndex.find(provider, ids);
    if (row !== undefined) return row;
    const of = ids.flatMap((id) => this.aliases.get(provider)?.get(id) ?? []);
    return of.length === 0 ? undefined : this.compiledIndex.find(provider, of);
  }

  limit(provider: string, ids: readonly string[]): Limit | undefined {
    for (const id of ids) {
      const limit = this.limits.get(provider)?.get(id.toLowerCase());
      if (limit !== undefined) return limit;
    }
    return undefined;
  }

  /** The price in force in a row; one object for each version and provider, however many ids lead to it. */
  priced(list: string, provider: string, listed: string, row: ModelRow, at: number): Found {
    const { index, from, until } = inForce(row.prices, at);
    const scheduled = row.prices[index];
    if (scheduled === undefined) return { price: undefined, from, until };
    const day = scheduled.from === undefined ? "" : `@${new Date(scheduled.from).toISOString().slice(0, 10)}`;
    const hours = scheduled.hours === undefined ? "" : `T${scheduled.hours.map((time) => new Date(time).toISOString().slice(11, 16)).join("-")}`;
    const version = `${list}/${listed}/${row.id}${day}${hours}`;
    const key = `${provider} ${version}`;
    let price = this.built.get(key);
    if (price === undefined) {
      price = { version, provider, model: row.id, rates: toRates(scheduled.rates), tiers: toTiers(scheduled) };
      this.built.set(key, price);
    }
    return { price, from, until };
  }
}

function nested<T>(outer: Map<string, Map<string, T>>, key: string): Map<string, T> {
  let inner = outer.get(key);
  if (inner === undefined) {
    inner = new Map();
    outer.set(key, inner);
  }
  return inner;
}
