import type { Command } from "commander";
import { TollgateError } from "../../base/errors.ts";
import { periodSpan, type Period, type PeriodSpan } from "../../domain/analytics/period.ts";
import { checkZone } from "../../domain/windows/zone.ts";

export interface PeriodOptions {
  readonly days?: string;
  readonly from?: string;
  readonly to?: string;
  readonly timeZone?: string;
}

export interface CommandPeriod {
  readonly timeZone: string;
  /** What was said, for people; `null` where nothing bounds it. */
  readonly from: number | null;
  readonly to: number | null;
  /** What is asked of the books. Without a bound: from the first cost to the end of today. */
  readonly span: PeriodSpan;
}

export function withPeriod(command: Command): Command {
  return command.option("--days <number>", "the last days, today included; everything if no period is given").option("--from <date>", "from this day on").option("--to <date>", "up to and with this day")
    .option("--time-zone <name>", "whose days count, such as Asia/Kathmandu (default: UTC)");
}

/** Reads `--days`, or `--from` and `--to` (the last day is included whole), in a zone. @throws TollgateError `usage`, `invalid_time_zone` */
export function periodOf({ days, from, to, timeZone: zone = "UTC" }: PeriodOptions, now: number): CommandPeriod {
  const timeZone = checkZone(zone, { param: "--time-zone" });
  const spanOf = (period: Period): PeriodSpan => periodSpan(period, now, { timeZone, weekStart: 0 });
  const today = spanOf({ days: 1 });
  if (days !== undefined) {
    if (from !== undefined || to !== undefined) throw new TollgateError("usage", "Give either --days, or --from and --to.");
    if (!/^[1-9]\d{0,4}$/.test(days) || Number(days) > 36_500) throw new TollgateError("usage", `--days must be a whole number from 1 to 36500, not "${days}".`);
    const span = spanOf({ days: Number(days) });
    return { timeZone, ...span, span };
  }
  const start = from === undefined ? 0 : bound(() => spanOf({ from, to: 2 ** 48 - 1 }).from, "--from", from);
  const end = to === undefined ? Math.max(today.to, start) : bound(() => spanOf({ to }).to, "--to", to);
  if (end < start) throw new TollgateError("usage", "--to lies before --from.");
  return { timeZone, from: from === undefined ? null : start, to: to === undefined ? null : end, span: { from: start, to: end } };
}

function bound(read: () => number, option: string, text: string): number {
  try {
    return read();
  } catch (error) {
    throw new TollgateError("usage", `${option} must be a date such as 2026-11-24, or an instant such as 2026-11-24T09:00:00Z, not "${text}".`, { cause: error });
  }
}
