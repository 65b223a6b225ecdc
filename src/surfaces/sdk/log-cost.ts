import { createHash } from "node:crypto";
import { TollgateError } from "../../base/errors.ts";
import { isUlid, ulidEpochMs, ulidTime } from "../../base/ids.ts";
import { NANO_PER_USD, parseDecimal, parseNanoUsd } from "../../base/money.ts";
import type { Charge } from "../../domain/ledger/entry.ts";
import { settledPriceOf, type Deployment } from "../../domain/upstream/deployment.ts";
import type { Reading } from "../../domain/upstream/dialect.ts";
import { chargeOfReading, chargeWithoutUsage } from "../../engine/meter.ts";
import { postMetered } from "../../engine/metered.ts";
import type { CallType } from "./call-record.ts";
import { activeContext, mergePayers, type Payer } from "./context.ts";
import { costOfCharge, type Cost } from "./cost.ts";
import { checkTags, metadataText } from "./perform.ts";
import type { SdkPlane } from "./plane.ts";

export interface LogOptions extends Payer {
  /** Instead of the model that the response names, as `provider/model`. */
  readonly model?: string | undefined;
  /** A ULID: the identity of a call whose response has none of its own. */
  readonly callId?: string | undefined;
}

export interface LoggedCost extends Cost {
  /** False: this call was in the books already, and nothing changed. */
  readonly posted: boolean;
}

export type Answer = Readonly<Record<string, unknown>>;

const OK = { status: "ok", httpStatus: null, durationMs: 0 } as const;
const COST_MAX = 10_000n * NANO_PER_USD;
const YEAR_2020_S = 1_577_836_800;
const AHEAD_S = 3_600;
/** Answers without an id (embeddings have none) are recognised while the program keeps them. */
const callIds = new WeakMap<object, string>();

/**
 * Puts a call into the books that was made elsewhere, once: by `cost.callId` of an answer of Tollgate's, else by the answer's own id.
 * @throws TollgateError `invalid_request` for what has no usage to believe, `journal_unavailable`
 */
export async function logCost(plane: SdkPlane, response: unknown, options: LogOptions = {}): Promise<LoggedCost> {
  const answer = await answerOf(response);
  if (options.callId !== undefined && !isUlid(options.callId)) throw invalid("callId", "callId must be a ULID, such as cost.callId of an answer.");
  const payer = mergePayers(mergePayers(plane.defaults, activeContext()?.payer ?? {}), options);
  checkTags(payer.tags);
  const metadata = metadataText(payer.metadata);
  const own = ownCost(answer);
  const callId = own?.callId ?? options.callId ?? identityOf(plane, answer);
  const at = ulidEpochMs(callId);
  const { type, reading } = readingOf(plane, answer, own !== undefined);
  const named = options.model ?? reading?.model;
  if (named === undefined && own === undefined) throw invalid("model", "The response names no model; pass it: { model: \"openai/gpt-4o-mini\" }.");
  const model = named ?? "unknown";
  const deployment = routeOf(plane, type, model, at);
  const charge = own === undefined ? chargeOfReading(reading as Reading, deployment && settledPriceOf(deployment, plane.prices, at, reading?.model), 0n, OK) : chargeOfOwn(own, reading);
  const charges = plane.payers.chargesOf(payer, model, undefined, callId);
  const posted = await new Promise<boolean>((resolve, reject) => postMetered(plane.engine.books, {
    callId, at, route: plane.dialects[type].route, model, provider: deployment?.provider ?? "", upstreamModel: deployment?.model ?? model, charges,
    keyId: null, teamId: null, userId: null, customer: payer.user ?? null, tags: payer.tags ?? [], metadata,
  }, charge, (error, isNew) => (error === undefined ? resolve(isNew) : reject(error))));
  return { ...(own ?? costOfCharge(callId, charge)), posted };
}

/** A stream is over once its cost is known. @throws TollgateError `invalid_request` for what is no answer */
export async function answerOf(response: unknown): Promise<Answer> {
  if (typeof response !== "object" || response === null || Array.isArray(response)) throw invalid("response", "logCost takes the answer of a call, an object with usage or cost.");
  const { finalCost, finalResponse } = response as { finalCost?: () => Promise<Cost>; finalResponse?: () => Promise<Answer> };
  if (typeof finalCost !== "function" || typeof finalResponse !== "function") return response as Answer;
  const cost = await finalCost.call(response);
  // A stream that broke off has a cost but no answer.
  const whole = await finalResponse.call(response).catch(() => ({}));
  return { ...whole, cost };
}

function ownCost({ cost }: Answer): Cost | undefined {
  if (typeof cost !== "object" || cost === null) return undefined;
  const { callId, total } = cost as Partial<Cost>;
  if (typeof callId !== "string" || !isUlid(callId)) throw invalid("response.cost", "response.cost has no callId of a call; it must be the cost that Tollgate gave the answer.");
  const nano = typeof total === "string" ? parseNanoUsd(total, "exact") : undefined;
  if (nano === undefined || nano < 0n || nano > COST_MAX) throw new TollgateError("invalid_amount", "response.cost.total must be dollars as exact decimal text, from 0 to 10000.", { param: "response.cost.total" });
  return cost as Cost;
}

function readingOf(plane: SdkPlane, answer: Answer, isOwn: boolean): { readonly type: CallType; readonly reading: Reading | undefined } {
  const usage = answer["usage"];
  const has = (name: string): boolean => typeof usage === "object" && usage !== null && Object.hasOwn(usage, name);
  const type: CallType = has("input_tokens") ? "responses" : has("prompt_tokens") && !has("completion_tokens") ? "embedding" : "completion";
  // Their input excludes what was cached, OpenAI's includes it: read as the other, money would be wrong.
  if (answer["type"] === "message" && !isOwn) throw invalid("response", "This is an answer of Anthropic's API. Log answers in OpenAI's shape, or make the call through Tollgate.");
  const reading = plane.dialects[type].plain.read(new TextEncoder().encode(JSON.stringify({ ...answer, cost: undefined })));
  if (reading.usage !== undefined) return { type, reading };
  if (isOwn) return { type, reading: undefined };
  throw invalid("response.usage", `The response has no usage that can be believed (${reading.problem ?? "missing"}), so its cost is unknown. Of a stream, ask for usage with stream_options.include_usage.`);
}

/** The shape is OpenAI's, so a bare name that its price list has is its model. Else nobody knows the provider: unpriced, and marked so. */
function routeOf(plane: SdkPlane, type: CallType, model: string, at: number): Deployment | undefined {
  for (const name of [model, `openai/${model}`]) {
    try {
      const found = plane.route({ type, model: name, mocked: true });
      if (name === model || plane.prices.find(found.provider, found.model, at) !== undefined) return found;
    } catch (error) {
      if (!TollgateError.isInstance(error)) throw error;
    }
  }
  return undefined;
}

function chargeOfOwn(cost: Cost, reading: Reading | undefined): Charge {
  const counted = reading === undefined ? chargeWithoutUsage(0n, null, undefined, OK) : chargeOfReading(reading, undefined, 0n, OK);
  const lines = (Array.isArray(cost.lines) ? cost.lines : []).map(({ dimension, quantity, rate, per, total }) => ({ dimension, quantity, rate: picoOf(rate), per: String(per), pico: picoOf(total) }));
  const unpriced = cost.unpriced === true;
  if (cost.saved !== undefined) return chargeOfSaved(cost, counted);
  return {
    ...counted, cost: parseNanoUsd(cost.total, "exact") ?? 0n, lines, priceVersion: cost.priceVersion ?? null, unpriced,
    estimated: unpriced ? "unpriced" : cost.estimated ? "usage_missing" : null,
  };
}

/** An answer from a cache: it cost nothing, and no token was bought. */
function chargeOfSaved({ saved, priceVersion }: Cost, counted: Charge): Charge {
  const nano = typeof saved === "string" ? parseNanoUsd(saved, "exact") : undefined;
  if (nano === undefined || nano < 0n || nano > COST_MAX) throw new TollgateError("invalid_amount", "response.cost.saved must be dollars as exact decimal text, from 0 to 10000.", { param: "response.cost.saved" });
  return { ...counted, cost: 0n, lines: [], estimated: null, unpriced: false, status: "cached", inputTokens: 0, outputTokens: 0, cachedTokens: 0, priceVersion: priceVersion ?? null, saved: nano };
}

function picoOf(text: string): string {
  const pico = typeof text === "string" ? parseDecimal(text, 12, "exact") : undefined;
  if (pico === undefined) throw new TollgateError("invalid_amount", "response.cost.lines must have rates and totals as exact decimal text.", { param: "response.cost.lines" });
  return pico.toString();
}

/** The same answer is the same call in every program that logs it: its time and its provider's id make the id here. */
export function identityOf(plane: Pick<SdkPlane, "clock" | "ids">, answer: Answer): string {
  const now = plane.clock.now();
  const created = answer["created"] ?? answer["created_at"];
  const { id } = answer;
  const isDated = typeof created === "number" && created >= YEAR_2020_S && created <= now / 1_000 + AHEAD_S;
  if (typeof id === "string" && id !== "" && isDated) return `${ulidTime(Math.floor(created) * 1_000)}${randomPart(id)}`;
  const known = callIds.get(answer);
  if (known !== undefined) return known;
  const made = plane.ids.next(now);
  callIds.set(answer, made);
  return made;
}

/** Eighty bits of a hash, as the end of a ULID writes them. */
function randomPart(text: string): string {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let bits = BigInt(`0x${createHash("sha256").update(text).digest("hex").slice(0, 20)}`);
  let part = "";
  for (let i = 0; i < 16; i += 1) {
    part = alphabet.charAt(Number(bits & 31n)) + part;
    bits >>= 5n;
  }
  return part;
}

function invalid(param: string, message: string): TollgateError {
  return new TollgateError("invalid_request", message, { param });
}
