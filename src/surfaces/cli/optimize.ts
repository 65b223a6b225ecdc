import { Option, type Command } from "commander";
import { TollgateError } from "../../base/errors.ts";
import type { Place } from "./program.ts";

export interface PastOptions extends Place {
  readonly days?: number;
  readonly from?: string;
  readonly to?: string;
  readonly timeZone?: string;
  readonly json?: boolean;
}

export interface WhatIfOptions extends PastOptions {
  readonly model?: string;
  /** A share, or `true` for what each model has shown. */
  readonly caching?: number | true;
  readonly batch?: number;
}

export interface CheapestOptions {
  readonly models?: readonly string[];
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
  /** Dollars. */
  readonly budget?: string;
  readonly json?: boolean;
}

export interface Optimizing {
  whatIf(options: WhatIfOptions): Promise<void>;
  waste(options: PastOptions): Promise<void>;
  cheapest(options: CheapestOptions): Promise<void>;
}

type WholeNumber = (option: string, least: number, most: number) => (text: string) => number;

/** `optimize what-if`, `waste` and `cheapest`. */
export function addOptimize(program: Command, optimizing: () => Promise<Optimizing>, remote: (command: Command) => Command, wholeNumber: WholeNumber): void {
  const optimize = program.command("optimize").description("what would be cheaper, and what was paid for nothing");
  const past = (command: Command): Command => remote(command).option("--json", "JSON, also on a terminal")
    .addOption(new Option("--days <number>", "the last days, today included (default: 30)").argParser(wholeNumber("--days", 1, 36_500))).option("--from <date>", "from this day on").option("--to <date>", "up to and with this day").option("--time-zone <name>", "whose days count (default: UTC)");
  past(optimize.command("what-if").description("what past traffic would have cost; suppose one thing"))
    .option("--model <provider/model>", "every request by this model").option("--caching [share]", "so much of the plain input from a cache, such as 0.5; what each model has shown if no share is given", share("--caching")).option("--batch <share>", "batches at this share of the price, such as 0.5", share("--batch"))
    .action(async (options: WhatIfOptions) => (await optimizing()).whatIf(options));
  past(optimize.command("waste").description("failed calls, retries, clients that left, repeated prompts"))
    .action(async (options: PastOptions) => (await optimizing()).waste(options));
  optimize.command("cheapest").description("the cheapest model that fits, by the price list").option("--json", "JSON, also on a terminal")
    .option("--models <names>", "which may be used: provider/model, with commas (default: the whole price list)", (text: string) => text.split(",").map((name) => name.trim()))
    .addOption(new Option("--input-tokens <number>", "tokens of the prompt").makeOptionMandatory().argParser(wholeNumber("--input-tokens", 0, 1e9)))
    .addOption(new Option("--max-output-tokens <number>", "tokens of the answer at most").default(1_000).argParser(wholeNumber("--max-output-tokens", 1, 1e9)))
    .option("--budget <dollars>", "what the request may cost")
    .action(async (options: CheapestOptions) => (await optimizing()).cheapest(options));
}

function share(option: string): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 0 && value <= 1)) throw new TollgateError("usage", `${option} must be a share from 0 to 1, such as 0.5, not "${text}".`);
    return value;
  };
}
