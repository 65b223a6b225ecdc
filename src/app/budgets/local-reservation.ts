import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Settled } from "../../engine/call.ts";
import type { Admission } from "../../engine/engine.ts";
import type { HoldOutcome, Holds } from "../../engine/holds.ts";
import { usdNumber } from "../../surfaces/sdk/amounts.ts";
import { nanoOfOurs } from "../../surfaces/sdk/costs/cost-functions.ts";
import { errorOfRefusal } from "../../surfaces/sdk/errors.ts";
import type { SdkPlane } from "../../surfaces/sdk/plane.ts";
import type { Reservation, ReserveQuery } from "./budget-types.ts";

const TIMEOUT_MS = 30_000;
/** Other processes give no sign when they settle. */
const POLL_MS = 25;

/** Holds money for a call that the program makes itself; waits while other calls hold it. */
export async function reserveIn(plane: SdkPlane, holds: Holds, { user, model, messages, maxTokens, timeoutMs = TIMEOUT_MS }: ReserveQuery, limits: ChargeSet): Promise<Reservation> {
  const dialect = plane.dialects.completion;
  const body = new TextEncoder().encode(JSON.stringify({ model, messages, ...(maxTokens === undefined ? {} : { max_completion_tokens: maxTokens }) }));
  const request = dialect.read(body);
  const deployment = plane.route({ type: "completion", model, mocked: true });
  const until = plane.clock.monotonic() + timeoutMs;
  for (;;) {
    const at = plane.clock.now();
    const id = plane.ids.next(at);
    const call = {
      requestId: id, at, route: "chat_completions", dialect, request, body, charges: [...plane.payers.chargesOf({ user }, model, undefined, id), limits], deployments: [deployment],
      keyId: null, teamId: null, userId: null, customer: user, tags: [], metadata: null,
    };
    const admission = await new Promise<Admission>((resolve) => holds.reserve(call, resolve));
    if (admission.kind === "failed") throw admission.error;
    if (admission.kind === "open") return new LocalReservation(holds, id, admission);
    if (admission.refusal.outcome !== "budget_held" || plane.clock.monotonic() >= until) throw errorOfRefusal(admission.refusal);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

class LocalReservation implements Reservation {
  readonly id: string;
  readonly held: string;
  readonly outputCap: number;
  private readonly holds: Holds;
  private over = false;

  constructor(holds: Holds, id: string, { attempt }: Extract<Admission, { kind: "open" }>) {
    this.holds = holds;
    this.id = id;
    this.held = formatNanoUsd(attempt.hold.nanoUsd);
    this.outputCap = attempt.hold.cap;
  }

  async settle(response: unknown): Promise<{ cost: number; costExact: string }> {
    if (typeof response !== "object" || response === null) throw new TollgateError("invalid_request", "settle takes the provider's answer.", { param: "response" });
    const own = nanoOfOurs(response);
    const { charge } = await this.end(own === undefined ? { answer: new TextEncoder().encode(JSON.stringify(response)) } : { cost: own });
    return { cost: usdNumber(charge.cost), costExact: formatNanoUsd(charge.cost) };
  }

  async release(): Promise<void> {
    await this.end("released");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.over) await this.release();
  }

  private end(outcome: HoldOutcome): Promise<Settled> {
    this.over = true;
    return new Promise((resolve) => this.holds.settle(this.id, undefined, outcome, resolve));
  }
}
