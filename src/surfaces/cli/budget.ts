import { TollgateError } from "../../base/errors.ts";

/** A budget of a command line: dollars, and how long they must last. */
export interface CommandBudget {
  /** Decimal text. */
  readonly maxBudget: string;
  /** A calendar window such as `monthly` or `30d`; `null` is for ever. */
  readonly window: string | null;
}

/**
 * Reads `100/monthly`, `100/30d` or `100/lifetime`. The window must be said: $100 a month and $100 for ever are two budgets.
 * What is no window is refused by whoever counts with it.
 * @throws TollgateError `usage`
 */
export function readBudget(text: string): CommandBudget {
  const [amount = "", window, more] = text.split("/");
  const isAmount = /^\d+(\.\d{1,9})?$/.test(amount);
  if (isAmount && window === undefined) throw new TollgateError("usage", `--budget ${amount} does not say for how long: write ${amount}/monthly, ${amount}/30d or ${amount}/lifetime.`);
  if (!isAmount || window === "" || more !== undefined) throw new TollgateError("usage", `--budget must be dollars and a window, such as 100/monthly, 100/30d or 100/lifetime, not "${text}".`);
  return { maxBudget: amount, window: window === "lifetime" ? null : (window as string) };
}
