import { TollgateError } from "../../base/errors.ts";
import { divideUp, formatPicoUsd } from "../../base/money.ts";
import { costOf, rateOf, type Cost } from "../../domain/pricing/cost.ts";
import type { Price } from "../../domain/pricing/price.ts";
import { priceOf, settledPriceOf, type Deployment } from "../../domain/upstream/deployment.ts";
import { isBelievableCount, type Dimension, type UsageLine } from "../../domain/usage/usage.ts";
import { onlyFields } from "../../engine/manage/fields.ts";
import { invalid, requiredText, text, type Body } from "../../engine/manage/read-fields.ts";
import type { RouteTable } from "../admin/route-table.ts";
import { ExactNumber } from "../http/exact-json.ts";
import type { DataPlane } from "./data-plane.ts";

/** What something would cost, or did: nothing is sent, held or charged. */
export function costRoutes(routes: RouteTable, plane: DataPlane): void {
  routes.postAsAnyone("/spend/calculate", async (body) => calculate(plane, body));
  routes.postAsAnyone("/cost/estimate", async (body) => estimate(plane, body));
}

/** `{ completion_response }` is priced as the gate would; `{ model, messages }` alone tells the price of its input, four bytes a token. */
function calculate(plane: DataPlane, body: Body): Record<string, unknown> {
  onlyFields(body, ["model", "messages", "completion_response"]);
  const answer = body["completion_response"];
  if (answer !== undefined && answer !== null) {
    if (typeof answer !== "object") throw invalid("completion_response", "must be a provider's answer, an object");
    const bytes = Buffer.from(JSON.stringify(answer));
    const reading = dialectOf(plane, answer).plain.read(bytes);
    if (reading.usage === undefined) throw invalid("completion_response", `has no usage that can be believed (${reading.problem ?? "missing"})`);
    const named = text(body, "model") ?? reading.model;
    if (named === undefined) throw invalid("model", "is required where the answer names none");
    const deployment = deploymentOf(plane, named);
    return costAnswer(costAt(settledPriceOf(deployment, plane.engine.prices, plane.clock.now(), reading.model), named, reading.usage), false);
  }
  const model = requiredText(body, "model");
  if (!Array.isArray(body["messages"])) throw invalid("messages", "or completion_response is required");
  const quantity = Math.ceil(Buffer.byteLength(JSON.stringify(body["messages"])) / 4);
  return costAnswer(costAt(priceAt(plane, model), model, [{ dimension: "input", quantity }]), true);
}

function costAnswer(cost: Cost, guessed: boolean): Record<string, unknown> {
  return { cost: cost.nanoUsd, tollgate: { estimated: guessed || cost.estimated, price_version: cost.priceVersion, lines: cost.lines.map((line) => ({ dimension: line.dimension, quantity: line.quantity, cost: new ExactNumber(formatPicoUsd(line.pico)) })) } };
}

/** Each API has its own words for usage. */
function dialectOf(plane: DataPlane, answer: object) {
  const usage = (answer as { usage?: unknown }).usage;
  const has = (name: string): boolean => typeof usage === "object" && usage !== null && Object.hasOwn(usage, name);
  const route = has("input_tokens") ? "responses" : has("completion_tokens") ? "chat_completions" : "embeddings";
  for (const dialect of plane.dialects.values()) if (dialect.route === route) return dialect;
  throw new Error(`No dialect speaks ${route}.`);
}

const ESTIMATE_COUNTS: readonly (readonly [field: string, dimension: Dimension, partOf: "input_tokens" | "output_tokens"])[] = [
  ["cache_read_input_tokens", "cache_read", "input_tokens"], ["cache_creation_input_tokens", "cache_write_5m", "input_tokens"], ["reasoning_tokens", "reasoning", "output_tokens"],
];

function estimate(plane: DataPlane, body: Body): Record<string, unknown> {
  onlyFields(body, ["model", "input_tokens", "output_tokens", "num_requests_per_day", "num_requests_per_month", ...ESTIMATE_COUNTS.map(([field]) => field)]);
  const model = requiredText(body, "model");
  const price = priceAt(plane, model);
  const rest = { input_tokens: countOf(body, "input_tokens") ?? 0, output_tokens: countOf(body, "output_tokens") ?? 0 };
  const parts: UsageLine[] = ESTIMATE_COUNTS.map(([field, dimension, whole]) => {
    const quantity = countOf(body, field) ?? 0;
    rest[whole] -= quantity;
    if (rest[whole] < 0) throw invalid(field, `is part of ${whole} and cannot be more`);
    return { dimension, quantity };
  });
  const side = (input: boolean): readonly UsageLine[] => parts.filter((line) => (line.dimension !== "reasoning") === input);
  const inputLines: UsageLine[] = [{ dimension: "input", quantity: rest.input_tokens }, ...side(true)];
  const outputLines: UsageLine[] = [{ dimension: "output", quantity: rest.output_tokens }, ...side(false)];
  const whole = costAt(price, model, [...inputLines, ...outputLines]);
  const picoOf = (lines: readonly UsageLine[]): bigint => whole.lines.filter((line) => lines.some(({ dimension }) => dimension === line.dimension)).reduce((sum, line) => sum + line.pico, 0n);
  const pico = (amount: bigint): ExactNumber => new ExactNumber(formatPicoUsd(amount));
  const rate = (dimension: Dimension): ExactNumber | null => {
    const found = rateOf(price.rates, dimension)?.rate;
    return found === undefined ? null : pico(divideUp(found.pico, found.per));
  };
  const perDay = countOf(body, "num_requests_per_day");
  const perMonth = countOf(body, "num_requests_per_month");
  return {
    model, provider: price.provider, cost_per_request: whole.nanoUsd, input_cost_per_request: pico(picoOf(inputLines)), output_cost_per_request: pico(picoOf(outputLines)),
    daily_cost: perDay === undefined ? null : whole.nanoUsd * BigInt(perDay), monthly_cost: perMonth === undefined ? null : whole.nanoUsd * BigInt(perMonth),
    input_cost_per_token: rate("input"), output_cost_per_token: rate("output"), tollgate: { estimated: whole.estimated, price_version: whole.priceVersion },
  };
}

function deploymentOf(plane: DataPlane, model: string): Deployment {
  const [deployment] = plane.catalogue.deployments(model);
  if (deployment === undefined) throw new TollgateError("not_found", `The model ${JSON.stringify(model)} is not known. Use a name from GET /v1/models, or provider/model with that provider's key configured.`, { param: "model" });
  return deployment;
}

function priceAt(plane: DataPlane, model: string): Price {
  const price = priceOf(deploymentOf(plane, model), plane.engine.prices, plane.clock.now());
  if (price === undefined) throw unpriced(model, "model");
  return price;
}

function costAt(price: Price | undefined, model: string, usage: readonly UsageLine[]): Cost {
  if (price === undefined) throw unpriced(model, "model");
  const cost = costOf(price, usage);
  if ("unpriced" in cost) throw unpriced(model, cost.unpriced);
  return cost;
}

function unpriced(model: string, what: string): TollgateError {
  return new TollgateError("unpriced", `The ${what} of ${JSON.stringify(model)} has no price. Set its price fields in model_list.`, { param: "model" });
}

function countOf(body: Body, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (!isBelievableCount(value)) throw invalid(field, "must be a whole number from 0 to 10000000");
  return value;
}
