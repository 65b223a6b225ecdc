import { TollgateError } from "../../base/errors.ts";
import { ulidEpochMs } from "../../base/ids.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import type { Dialect } from "../../domain/upstream/dialect.ts";
import type { Call } from "../../engine/call.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import type { DataPlane } from "./data-plane.ts";

export interface Asked {
  /** Made at admission, not at arrival: a body may take long, and windows and prices go by its time. */
  readonly requestId: string;
  readonly body: Uint8Array;
  /** Named by a header. */
  readonly customer: string | undefined;
  /** What the ledger says of the route, if not the dialect's. */
  readonly route?: string;
}

/**
 * Reads a request and finds who pays for it.
 * @throws TollgateError those of `Dialect.read`, `unknown_model`, access and customer errors
 */
export function composeCall(plane: DataPlane, dialect: Dialect, identity: Identity, { requestId, body, customer: named, route = dialect.route }: Asked): Call {
  // One instant for both: a range of ids must be a range of admission times.
  const at = ulidEpochMs(requestId);
  const request = dialect.read(body);
  const deployments = plane.catalogue.deployments(request.model);
  if (deployments.length === 0) {
    throw new TollgateError("unknown_model", `The model ${JSON.stringify(request.model)} is not known. Use a name from GET /v1/models, or provider/model with that provider's key configured.`, { param: "model" });
  }
  identity.checkModel(request.model);
  const { customer, charges } = whoPays(plane, identity, request.model, customerOf(identity, named, request.user), at);
  return {
    requestId, at, route, dialect, request, body, charges, deployments,
    keyId: identity.keyId, teamId: identity.teamId, userId: identity.userId, customer,
    tags: identity.tags.length === 0 ? request.tags : [...identity.tags, ...request.tags],
  };
}

/** Everything that is charged and every limit that applies, but the deployment's. @throws TollgateError customer errors */
export function whoPays(plane: DataPlane, identity: Identity, model: string, customer: string | null, at: number): { readonly customer: string | null; readonly charges: readonly ChargeSet[] } {
  const charges: ChargeSet[] = [identity.charges];
  const byModel = identity.modelLimits(model);
  if (byModel !== undefined) charges.push(byModel);
  const paid = customer === null ? undefined : plane.customer(customer, identity.keyId, at);
  if (paid !== undefined) charges.push(paid);
  return { customer, charges };
}

/** Who the request is for: pinned by the key, else the header, else `user` in the body (GATE 10.1). */
export function customerOf(identity: Identity, header: string | undefined, user: string | undefined): string | null {
  if (identity.pinnedCustomer !== undefined) return identity.pinnedCustomer;
  const named = header !== undefined && header !== "" ? header : user;
  if (named === undefined || named === "") return null;
  if (Buffer.byteLength(named) > 256) throw new TollgateError("invalid_request", "A customer id may have 256 bytes at most.", { param: "user" });
  return named;
}
