export { compare, format, parse, subtract, sum } from "./surfaces/sdk/exact.ts";
export type { Usd } from "./surfaces/sdk/amounts.ts";
