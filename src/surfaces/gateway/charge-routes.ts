import { isUlid, ulidEpochMs } from "../../base/ids.ts";
import type { Charge } from "../../domain/ledger/entry.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";
import { settledPriceOf } from "../../domain/upstream/deployment.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { onlyFields } from "../../engine/manage/fields.ts";
import { invalid, metadata, requiredText, text, texts, type Body } from "../../engine/manage/read-fields.ts";
import { chargeOfReading, chargeWithoutUsage } from "../../engine/meter.ts";
import { postMetered } from "../../engine/metered.ts";
import type { RouteTable } from "../admin/route-table.ts";
import { ExactNumber } from "../http/exact-json.ts";
import { customerOf, whoPays } from "./compose-call.ts";
import type { DataPlane } from "./data-plane.ts";
import { dialectOf, readOutcome } from "./hold-routes.ts";

/** How old a call may be: its id is its time, and what is long settled is not reopened. */
const AGE_MAX_MS = 3_600_000;
const AHEAD_MAX_MS = 60_000;
const CIRCUMSTANCES = { status: "ok", httpStatus: null, durationMs: 0 } as const;

/** What was called and metered elsewhere is charged here, once by its call id. */
export function chargeRoutes(routes: RouteTable, plane: DataPlane, store: Pick<LedgerStore, "entries">, flush: () => void): void {
  routes.postAsAnyone("/v1/tollgate/charges", async (body, _context, identity) => {
    onlyFields(body, ["call_id", "model", "user", "route", "usage", "response", "cost", "tags", "metadata"]);
    const callId = callIdOf(body, plane.clock.now());
    const posted = await post(plane, identity, callId, body);
    flush();
    const [entry] = await store.entries({ requestId: callId, limit: 1, ascending: true });
    // A replay tells what stands, but only to whom it belongs.
    if (entry === undefined || (!identity.isMaster && entry.keyId !== identity.keyId)) throw invalid("call_id", "is taken by another call");
    return { id: callId, posted, cost: new ExactNumber(formatNanoUsd(BigInt(entry.cost))), input_tokens: entry.inputTokens, output_tokens: entry.outputTokens };
  });
}

function callIdOf(body: Body, now: number): string {
  const callId = requiredText(body, "call_id");
  const age = isUlid(callId) ? now - ulidEpochMs(callId) : Infinity;
  if (age > AGE_MAX_MS || age < -AHEAD_MAX_MS) throw invalid("call_id", "must be a ULID that was made for this call within the last hour");
  return callId;
}

function post(plane: DataPlane, identity: Identity, callId: string, body: Body): Promise<boolean> {
  const at = ulidEpochMs(callId);
  const model = requiredText(body, "model");
  const [deployment] = plane.catalogue.deployments(model);
  const { customer, charges } = whoPays(plane, identity, model, customerOf(identity, text(body, "user"), undefined), at);
  const call = {
    callId, at, route: text(body, "route") ?? "chat_completions", model, charges, provider: deployment?.provider ?? "", upstreamModel: deployment?.model ?? model,
    keyId: identity.keyId, teamId: identity.teamId, userId: identity.userId, customer,
    tags: [...identity.tags, ...texts(body, "tags")], metadata: "metadata" in body ? JSON.stringify(metadata(body)) : null,
  };
  const charge = chargeOf(plane, deployment, at, body);
  return new Promise((resolve, reject) => postMetered(plane.engine.books, call, charge, (error, posted) => (error === undefined ? resolve(posted) : reject(error))));
}

/** Unlike an answer that came through the gate, there is no hold to fall back on: usage must be believable and priced. */
function chargeOf(plane: DataPlane, deployment: Parameters<typeof settledPriceOf>[0] | undefined, at: number, body: Body): Charge {
  const dialect = dialectOf(plane, text(body, "route") ?? "chat_completions");
  const outcome = readOutcome(body);
  if ("cost" in outcome) return chargeWithoutUsage(outcome.cost, null, undefined, CIRCUMSTANCES);
  const reading = dialect.plain.read(outcome.answer);
  if (reading.usage === undefined) throw invalid("usage", `cannot be believed (${reading.problem ?? "missing"}); send the provider's usage as it came, or the cost`);
  const price = deployment === undefined ? undefined : settledPriceOf(deployment, plane.engine.prices, at, reading.model);
  const charge = chargeOfReading(reading, price, 0n, CIRCUMSTANCES);
  if (charge.unpriced) throw invalid("model", "has no price here; send the cost");
  return charge;
}
