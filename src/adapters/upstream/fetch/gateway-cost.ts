import { gatewayCallId, saidCost, saidInHeaders, type SaidCost } from "../../../domain/upstream/said-cost.ts";
import type { UpstreamRequest } from "../../../domain/upstream/upstream.ts";

/** Asks the server of a request for something else, with the request's own credentials. */
export type AskServer = (request: UpstreamRequest, path: string, signal: AbortSignal) => Promise<Response>;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const TIMEOUT_MS = 5_000;
/** What follows a gateway's base URL. */
const ROUTE = /(?:\/v1|\/openai\/deployments\/[^/]+|\/engines\/[^/]+)?\/(?:chat\/completions|embeddings|responses)\/?(?:\?.*)?$/;

/**
 * What a gateway says that a call cost. A plain answer says it in its headers. A stream's cost is known at its end, when `fetch` reads no more
 * headers: a Tollgate has it in its ledger before the last event leaves, so it is asked there.
 * @param then told in the same turn where nothing has to be asked; `undefined`: no gateway, or nothing to believe
 */
export function gatewayCost(request: UpstreamRequest, status: number, headers: Headers, ask: AskServer, then: (said: SaidCost | undefined) => void): void {
  const type = headers["content-type"];
  const streams = status >= 200 && status < 300 && typeof type === "string" && type.toLowerCase().includes("text/event-stream");
  if (!streams) {
    then(saidInHeaders(headers));
    return;
  }
  const callId = gatewayCallId(headers);
  if (callId === undefined) then(undefined);
  else void looked(request, callId, ask).then(then);
}

async function looked(request: UpstreamRequest, callId: string, ask: AskServer): Promise<SaidCost | undefined> {
  try {
    const response = await ask(request, `${request.path.replace(ROUTE, "")}/v1/tollgate/requests/${callId}`, AbortSignal.timeout(TIMEOUT_MS));
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const { request_id: id, cost, entries } = (await response.json()) as { request_id?: unknown; cost?: unknown; entries?: unknown };
    if (id !== callId || !Array.isArray(entries) || entries.length === 0) return undefined;
    const rows = entries as readonly { readonly unpriced?: unknown; readonly estimated?: unknown }[];
    const estimated = rows.map((row) => row.estimated).find((reason) => typeof reason === "string") as string | undefined;
    return saidCost(cost, { isTollgate: true, unpriced: rows.some((row) => row.unpriced === true), estimated: estimated ?? null });
  } catch {
    // A gateway that does not answer leaves the price to us.
    return undefined;
  }
}
