import { divideHalfEven, formatDecimal, formatNanoUsd, type NanoUsd } from "../../base/money.ts";
import type { AlertScope } from "./alert.ts";

const CENT = 10_000_000n;
const NAME_CHARACTERS_MAX = 80;

/** Dollars for a sentence: cents from one dollar up, six decimals below. @example dollars(1_234_500_000_000n) // "$1,234.50" */
export function dollars(nano: NanoUsd): string {
  const size = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? "-" : "";
  if (size < 100n * CENT) {
    const text = formatDecimal(divideHalfEven(size, 1_000n), 6);
    const [whole = "0", fraction = ""] = (text === "0" && size > 0n ? formatNanoUsd(size) : text).split(".");
    return `${sign}$${whole}.${fraction.padEnd(2, "0")}`;
  }
  const cents = divideHalfEven(size, CENT).toString();
  return `${sign}$${cents.slice(0, -2).replaceAll(/\B(?=(\d{3})+$)/g, ",")}.${cents.slice(-2)}`;
}

/** A name from outside on one line: no control characters or marks that turn text around, not too long. */
export function shownName(name: string): string {
  const characters = [...name.toWellFormed().replaceAll(/[\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g, "?")];
  return characters.length > NAME_CHARACTERS_MAX ? `${characters.slice(0, NAME_CHARACTERS_MAX - 1).join("")}…` : characters.join("");
}

const NOUNS: Readonly<Record<Exclude<AlertScope["dimension"], "total">, string>> = {
  model: "Model", provider: "Provider", user: "User", key: "Key", team: "Team", internalUser: "Internal user", tag: "Tag", deployment: "Deployment",
};

/** @example scopeText({ dimension: "user", id: "ann", label: "ann" }) // "User ann" */
export function scopeText(scope: AlertScope): string {
  return scope.dimension === "total" ? "Total spending" : `${NOUNS[scope.dimension]} ${shownName(scope.label)}`;
}

/** A part of a whole in percent, one decimal, rounded down: 99.99 % is not shown as reached. */
export function percentOf(part: NanoUsd, whole: NanoUsd): number {
  return whole === 0n ? 0 : Number((part * 1_000n) / whole) / 10;
}
