/**
 * Compiles the price list of `@pydantic/genai-prices` (a development dependency) to
 * `src/adapters/prices/book.ts`, and the model names of the SDK's types to `src/surfaces/sdk/known-models.ts`.
 * Run it after raising that dependency: `node scripts/compile-prices.ts`, then read the diff: one model is one line.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { waitForUpdate, type ConditionalPrice, type MatchLogic, type ModelInfo, type ModelPrice, type Provider } from "@pydantic/genai-prices";
import { parseDecimal } from "../src/base/money.ts";
import type { Dimension } from "../src/domain/usage/usage.ts";
import type { ModelRow, RateCell, ScheduledPrice } from "../src/adapters/prices/model-row.ts";
import type { CompiledBook } from "../src/adapters/prices/price-book.ts";
import { BOOK_PROVIDERS, bookProvider } from "../src/adapters/prices/provider-names.ts";
import { PROVIDERS } from "../src/adapters/providers/registry.ts";

const PACKAGE = "@pydantic/genai-prices";
const OUTPUT = fileURLToPath(new URL("../src/adapters/prices/book.ts", import.meta.url));
const NAMES = fileURLToPath(new URL("../src/surfaces/sdk/known-models.ts", import.meta.url));

/** Price keys of the source, and pico-dollars: `usd x 10^12 / units`. Keys that no usage dimension measures are left out. */
const KEYS: readonly (readonly [key: string, dimension: Dimension, units: number])[] = [
  ["input_mtok", "input", 1_000_000],
  ["cache_read_mtok", "cache_read", 1_000_000],
  ["cache_write_mtok", "cache_write_5m", 1_000_000],
  ["cache_write_1h_mtok", "cache_write_1h", 1_000_000],
  ["output_mtok", "output", 1_000_000],
  ["output_reasoning_mtok", "reasoning", 1_000_000],
  ["input_audio_mtok", "audio_in", 1_000_000],
  ["cache_audio_read_mtok", "audio_cache_read", 1_000_000],
  ["output_audio_mtok", "audio_out", 1_000_000],
  ["input_image_mtok", "image_in", 1_000_000],
  ["output_image_mtok", "image_out", 1_000_000],
  ["requests_kcount", "request", 1_000],
  ["web_searches_kcount", "web_search", 1_000],
  ["input_audio_hours", "second_in", 3_600],
  ["input_document_kpages", "page", 1_000],
];

function cell(usd: number, units: number): RateCell {
  const text = String(usd);
  for (const per of [1, 3_600, 12]) {
    // Whole pico-dollars for `per` units; float noise in the source (0.28600000000000003) is far below a millionth of that.
    const scaled = parseDecimal(text, 24, "down");
    if (scaled === undefined || scaled < 0n) break;
    const exact = scaled * BigInt(per);
    const divisor = BigInt(units) * 10n ** 12n;
    const pico = (exact + divisor / 2n) / divisor;
    const rest = exact - pico * divisor;
    if ((rest < 0n ? -rest : rest) * 1_000_000n <= divisor && (pico > 0n || exact === 0n)) return per === 1 ? Number(pico) : [Number(pico), per];
  }
  throw new Error(`${PACKAGE}: ${text} dollars for ${units} units is no whole number of pico-dollars; extend cell().`);
}

type Tiers = Map<number, Partial<Record<Dimension, RateCell>>>;

function scheduled(prices: ModelPrice): Pick<ScheduledPrice, "rates" | "tiers"> | undefined {
  const rates: Partial<Record<Dimension, RateCell>> = {};
  const tiers: Tiers = new Map();
  for (const [key, dimension, units] of KEYS) {
    const price = prices[key];
    if (price === undefined) continue;
    if (typeof price === "number") {
      rates[dimension] = cell(price, units);
      continue;
    }
    rates[dimension] = cell(price.base, units);
    for (const { start, price: usd } of price.tiers) {
      const tier = tiers.get(start) ?? {};
      tier[dimension] = cell(usd, units);
      tiers.set(start, tier);
    }
  }
  if (Object.keys(rates).length === 0) return undefined;
  const sorted = [...tiers].sort(([a], [b]) => a - b).map(([above, of]) => ({ above, rates: of }));
  return sorted.length === 0 ? { rates } : { rates, tiers: sorted };
}

/**
 * The source cannot say "these hours, from that date on", so it lists hours last and leaves them without a date. Here
 * an entry with hours begins with the dated entry before it: peak prices never reach back before their announcement.
 */
function schedule(model: ModelInfo): ScheduledPrice[] {
  const entries: ConditionalPrice[] = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const out: ScheduledPrice[] = [];
  let from: number | undefined;
  for (const { constraint, prices } of entries) {
    let hours: [number, number] | undefined;
    if (constraint?.type === "start_date") from = Date.parse(`${constraint.start_date}T00:00:00Z`);
    else if (constraint?.type === "time_of_date") hours = [timeOfDay(constraint.start_time), timeOfDay(constraint.end_time)];
    const price = scheduled(prices);
    if (price === undefined) continue;
    out.push({ ...(from === undefined ? {} : { from }), ...(hours === undefined ? {} : { hours }), ...price });
  }
  return out;
}

function timeOfDay(text: string): number {
  const match = /^(\d\d):(\d\d):(\d\d)Z$/.exec(text);
  if (match === null) throw new Error(`${PACKAGE}: time of day "${text}" is not in UTC; extend timeOfDay().`);
  return (Number(match[1]) * 3_600 + Number(match[2]) * 60 + Number(match[3])) * 1_000;
}

/** The words of a matcher: exact ids, and texts that the source accepts with anything around them. */
function words(match: MatchLogic, exact: Set<string>, open: Set<string>): void {
  if ("or" in match) for (const part of match.or) words(part, exact, open);
  else if ("and" in match) for (const part of match.and) words(part, exact, open);
  else if ("equals" in match) exact.add(match.equals.toLowerCase());
  else if ("starts_with" in match) open.add(match.starts_with.toLowerCase());
  else if ("contains" in match) open.add(match.contains.toLowerCase());
  else if ("ends_with" in match) open.add(match.ends_with.toLowerCase());
  else {
    const base = /^\^([^\\(]*(?:\\\.[^\\(]*)*)-\\d\{/.exec(match.regex)?.[1];
    if (base !== undefined) open.add(base.replaceAll("\\.", "."));
  }
}

function accepts(match: MatchLogic, id: string): boolean {
  if ("or" in match) return match.or.some((part) => accepts(part, id));
  if ("and" in match) return match.and.every((part) => accepts(part, id));
  if ("equals" in match) return id === match.equals.toLowerCase();
  if ("starts_with" in match) return id.startsWith(match.starts_with.toLowerCase());
  if ("contains" in match) return id.includes(match.contains.toLowerCase());
  if ("ends_with" in match) return id.endsWith(match.ends_with.toLowerCase());
  return new RegExp(match.regex).test(id);
}

const REGIONS = ["", "us.", "eu.", "apac.", "jp.", "au.", "us-gov.", "global."];
const PARTIAL = /[-.:@]$|-20\d\d(-\d*)?$/;
const COMPACT = "-{yyyymmdd}";
/** How a provider writes the date of a snapshot behind a model's name. */
const SNAPSHOTS: ReadonlyMap<string, string> = new Map([
  ["openai", "-{yyyy-mm-dd}"],
  ["azure", "-{yyyy-mm-dd}"],
  ["anthropic", COMPACT],
  ["deepseek", COMPACT],
  ["openrouter", COMPACT],
  ["x-ai", COMPACT],
  ["google", "@{yyyymmdd}"],
]);
const PROBES: readonly (readonly [year: string, month: string, day: string])[] = [["2024", "02", "29"], ["2026", "12", "31"]];

/**
 * The exact ids of a model. The source's open matchers (prefix, contains, pattern) would price models that do not exist
 * yet; of them only the text itself and its dated snapshots are kept, and only where the source agrees.
 */
function ids(model: ModelInfo, snapshot: string | undefined, owner: (id: string) => ModelInfo | undefined): string[] {
  const exact = new Set<string>();
  const open = new Set<string>();
  words(model.match, exact, open);
  const own = model.id.toLowerCase();
  const bases = new Set([...open, own]);
  for (const region of REGIONS) {
    if (own.startsWith("regional.")) bases.add(`${region}${own.slice(9)}`);
    else if (own.includes("-v") && own.includes(":")) bases.add(`${region}${own}`);
  }
  const found = new Set([...exact].filter((id) => owner(id) === model));
  for (const base of bases) {
    if (PARTIAL.test(base) || base.includes("[")) continue;
    if (owner(base) === model) found.add(base);
    if (open.size === 0 || snapshot === undefined || (snapshot.startsWith("@") && !base.includes("claude"))) continue;
    const dated = PROBES.map(([year, month, day]) => snapshot.replace("{yyyymmdd}", `${year}${month}${day}`).replace("{yyyy-mm-dd}", `${year}-${month}-${day}`));
    if (dated.every((suffix) => owner(`${base}${suffix}`) === model)) found.add(`${base}${snapshot}`);
  }
  // A fine-tuned model costs other than its base, and the source mixes the two up: priced by the supplement alone.
  return [...found].filter((id) => !id.startsWith("ft:") && !id.includes(".ft-")).sort();
}

const FREE: readonly ScheduledPrice[] = [{ rates: { input: 0, output: 0 } }];

function row(model: ModelInfo, provider: Provider): ModelRow | undefined {
  const owner = (id: string): ModelInfo | undefined => provider.models.find((other) => accepts(other.match, id));
  let prices: readonly ScheduledPrice[] = schedule(model);
  // An empty price set is unknown, not free, except where the id itself says free.
  if (prices.every((price) => Object.values(price.rates).every((rate) => rate === 0))) {
    if (provider.id !== "openrouter" || !model.id.endsWith(":free")) return undefined;
    prices = FREE;
  }
  const known = ids(model, SNAPSHOTS.get(provider.id), owner);
  if (known.length === 0) return undefined;
  return { id: model.id, ids: known, ...(model.context_window === undefined ? {} : { window: model.context_window }), prices };
}

/** The book's JSON text for these providers: the same input gives the same bytes. */
export function compileBook(providers: readonly Provider[], version: string): string {
  const blocks = BOOK_PROVIDERS.map((id) => {
    const provider = providers.find((candidate) => candidate.id === id);
    if (provider === undefined) throw new Error(`${PACKAGE} has no provider "${id}" any more.`);
    const rows = provider.models.flatMap((model) => row(model, provider) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
    const fallback = JSON.stringify((provider.fallback_model_providers ?? []).filter((other) => BOOK_PROVIDERS.includes(other)));
    return `${JSON.stringify(id)}: {"fallback": ${fallback}, "models": [\n${rows.map((one) => JSON.stringify(one)).join(",\n")}\n]}`;
  });
  return `{"source": ${JSON.stringify(`genai-prices@${version}`)}, "providers": {\n${blocks.join(",\n")}\n}}\n`;
}

/** Compiles what is installed. */
export async function compileInstalledBook(): Promise<string> {
  const providers = await waitForUpdate();
  if (providers === null) throw new Error(`${PACKAGE} holds no data.`);
  const manifest = JSON.parse(readFileSync(new URL(`../node_modules/${PACKAGE}/package.json`, import.meta.url), "utf8")) as { version: string };
  return compileBook(providers, manifest.version);
}

/** A module that holds the text: imported statically, so that a bundle carries it, and parsed on first use. */
export function bookModule(text: string): string {
  if (/[`\\]|\$\{/.test(text)) throw new Error("The book's text cannot stand in a template literal as it is.");
  return `/** The compiled book as JSON text, parsed on first use. Made by \`scripts/compile-prices.ts\`; never edited by hand. */\nexport const BOOK_TEXT = \`${text}\`;\n`;
}

/** Providers whose models a program can call, by the prefix it writes. A reseller's hundreds of names would only hide the others. */
function namedProviders(): readonly (readonly [prefix: string, book: string])[] {
  return PROVIDERS.flatMap(({ name }) => {
    const book = bookProvider(name);
    return book === undefined || name === "openrouter" ? [] : [[name, book] as const];
  });
}

/** The module of `KnownModel`: one provider a line. */
export function namesModule(text: string): string {
  const { providers } = JSON.parse(text) as CompiledBook;
  const lines = namedProviders().map(([prefix, book]) => {
    const ids = new Set((providers[book]?.models ?? []).flatMap((model) => model.ids).filter((id) => /^[\w.:/@-]+$/.test(id)));
    return `  | ${[...ids].sort().map((id) => JSON.stringify(`${prefix}/${id}`)).join(" | ")}`;
  });
  return `/** Model names of the price book, for completion in editors; any other text is a model, too. Made by \`scripts/compile-prices.ts\`. */\nexport type KnownModel =\n${lines.join("\n")};\n`;
}

if (import.meta.main) {
  const text = await compileInstalledBook();
  writeFileSync(OUTPUT, bookModule(text));
  writeFileSync(NAMES, namesModule(text));
  process.stdout.write(`Wrote ${OUTPUT}: ${text.length} bytes, and ${NAMES}.\n`);
}
