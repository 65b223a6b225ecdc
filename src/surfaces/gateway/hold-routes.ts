import { TollgateError } from "../../base/errors.ts";
import { NANO_PER_USD } from "../../base/money.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import { onlyFields } from "../../engine/manage/fields.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { amount, invalid, text, type Body } from "../../engine/manage/read-fields.ts";
import type { Settled } from "../../engine/call.ts";
import type { Admission } from "../../engine/engine.ts";
import type { HoldOutcome, Holds } from "../../engine/holds.ts";
import type { RouteTable } from "../admin/route-table.ts";
import { refusalHeaders } from "./answer-headers.ts";
import { composeCall } from "./compose-call.ts";
import type { DataPlane } from "./data-plane.ts";
import { refusalError, RefusedError } from "./refusal.ts";

/**
 * Money is held for a request that the client sends itself, and settled by what came of it: what a program needs that
 * calls its provider directly and yet keeps its budgets here. Any key may hold: it holds its own money.
 */
export function holdRoutes(routes: RouteTable, plane: DataPlane, holds: Holds): void {
  routes.postAsAnyone("/v1/tollgate/holds", async (body, _context, identity) => {
    if (plane.stopping()) throw new TollgateError("shutting_down", "The gateway is stopping. Try again in a moment.");
    onlyFields(body, ["route", "request", "user"]);
    return reserve(plane, holds, identity, body);
  });
  const settle = (path: string, read: (body: Body) => HoldOutcome): void => {
    routes.postAsAnyone(`/v1/tollgate/holds/:id/${path}`, async (body, context, identity) => {
      const outcome = read(body);
      const id = context.req.param("id") as string;
      return await new Promise<Record<string, unknown>>((resolve) => holds.settle(id, identity.isMaster ? undefined : identity.keyId, outcome, (settled) => resolve(settledRow(id, settled))));
    });
  };
  settle("settle", (body) => {
    onlyFields(body, ["cost", "response", "usage", "model"]);
    return readOutcome(body);
  });
  settle("release", (body) => {
    onlyFields(body, []);
    return "released";
  });
}

/** @throws TollgateError `invalid_request` */
export function dialectOf(plane: DataPlane, route: string): Dialect {
  const dialects = [...plane.dialects.values()];
  const found = dialects.find((one) => one.route === route);
  if (found === undefined) throw invalid("route", `must be one of ${[...new Set(dialects.map((one) => one.route))].join(", ")}`);
  return found;
}

async function reserve(plane: DataPlane, holds: Holds, identity: Identity, body: Body): Promise<Record<string, unknown>> {
  const route = text(body, "route") ?? "chat_completions";
  const dialect = dialectOf(plane, route);
  const { request } = body;
  if (typeof request !== "object" || request === null || Array.isArray(request)) throw invalid("request", "must be the request as it will be sent to the provider, an object");
  const call = composeCall(plane, dialect, identity, {
    requestId: plane.ids.next(plane.clock.now()), body: Buffer.from(JSON.stringify(request)), customer: text(body, "user"), route: `hold:${route}`,
  });
  const admission = await new Promise<Admission>((resolve) => holds.reserve(call, resolve));
  if (admission.kind === "failed") throw admission.error;
  if (admission.kind === "refused") throw new RefusedError(refusalError(admission.refusal), refusalHeaders(admission.refusal));
  const { hold } = admission.attempt;
  return {
    id: call.requestId, held: hold.nanoUsd, output_cap: hold.cap, model: call.request.model, provider: admission.deployment.provider, upstream_model: admission.deployment.model,
    expires_at: new Date(call.at + holds.lifetimeMs).toISOString(),
  };
}

/**
 * `{ cost }`, `{ response }` or `{ usage, model }`: the last two in the words of its API.
 * @throws TollgateError `invalid_request`, `invalid_amount`
 */
export function readOutcome(body: Body): Exclude<HoldOutcome, "released"> {
  const given = ["cost", "response", "usage"].filter((field) => body[field] !== undefined && body[field] !== null);
  if (given.length !== 1) throw invalid("usage", "or response or cost is required, and only one of them");
  if (given[0] === "cost") return { cost: costOf(body) };
  const answer = given[0] === "response" ? body["response"] : { usage: body["usage"], model: text(body, "model") };
  return { answer: Buffer.from(JSON.stringify(answer)) };
}

/** No single request costs more; sums of what clients claim must stay far from the end of 64 bits. */
const COST_MAX = 10_000n * NANO_PER_USD;

function costOf(body: Body): bigint {
  const cost = BigInt(amount(body, "cost") ?? "0");
  if (cost > COST_MAX) throw new TollgateError("invalid_amount", "cost must be 10000 dollars at most for one request.", { param: "cost" });
  return cost;
}

function settledRow(id: string, { charge, attempt }: Settled): Record<string, unknown> {
  return {
    id, cost: charge.cost, held: attempt.hold.nanoUsd, overage: charge.cost > attempt.hold.nanoUsd ? charge.cost - attempt.hold.nanoUsd : 0n,
    estimated: charge.estimated, unpriced: charge.unpriced, input_tokens: charge.inputTokens, output_tokens: charge.outputTokens, lines: charge.lines,
  };
}
