import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { TollgateError } from "../../base/errors.ts";
import { formatNanoUsd } from "../../base/money.ts";
import type { Balance } from "../../domain/ledger/ports.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";
import type { ChargeSet } from "../../domain/limits/limit.ts";
import { GLOBAL_SCOPE, type Scope } from "../../domain/scopes/scope.ts";
import { LIFETIME, type WindowSpec } from "../../domain/windows/window.ts";
import type { Holds } from "../../engine/holds.ts";
import type { Management } from "../../engine/manage/management.ts";
import { createAdmin } from "../admin/routes.ts";
import { errorBody, statusOf } from "../http/status.ts";
import { chargeRoutes } from "./charge-routes.ts";
import { costReports } from "./cost-reports.ts";
import { costRoutes } from "./cost-routes.ts";
import { holdRoutes } from "./hold-routes.ts";
import { keyIn, type DataPlane } from "./data-plane.ts";
import type { GatewayObserver } from "./metrics.ts";
import { modelCall } from "./model-call.ts";
import { requestDetails, spendLogFilter, spendLogs } from "./reports.ts";
import { spendOf, spendQuery } from "./spend.ts";

export interface RouterOptions {
  readonly plane: DataPlane;
  readonly management: Management;
  readonly holds: Holds;
  readonly store: LedgerStore;
  readonly books: { allBalances(): Balance[]; standingNow(scope: Scope, model: undefined, spec: WindowSpec): { spent: bigint } };
  readonly observer: GatewayObserver;
  readonly global: ChargeSet;
  readonly metricsAuth: boolean;
  readonly warnings: readonly string[];
  ready(): boolean;
  /** Hands settled entries to the ledger now. */
  flush(): void;
}

/** Finds the route of a request. The data plane comes first; reports next; the rest is management. */
export function createRouter(options: RouterOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { plane } = options;
  const reports = reportRoutes(options);
  const admin = createAdmin({
    management: options.management,
    identify: (headers) => plane.identifyKey(keyIn((name) => headers.get(name) ?? undefined), plane.clock.now()),
    bodyLimitBytes: plane.bodyLimitBytes,
    budgetExceededStatus: plane.budgetExceededStatus,
    more: (routes) => {
      holdRoutes(routes, plane, options.holds);
      chargeRoutes(routes, plane, options.store, () => options.flush());
      costRoutes(routes, plane);
    },
    onDefect: (error) => plane.onDefect(error, plane.ids.next(plane.clock.now())),
  });
  admin.notFound((context) => {
    const error = new TollgateError("unknown_route", `There is no ${context.req.method} ${context.req.path}.`);
    return context.body(JSON.stringify(errorBody(error, 404)), 404, { "content-type": "application/json" });
  });
  const manage = getRequestListener(admin.fetch);
  reports.set("/routes", async () => JSON.stringify({ routes: listRoutes(plane, reports.keys(), admin.routes) }));
  return (request, response) => {
    const url = request.url ?? "/";
    const mark = url.indexOf("?");
    const path = mark === -1 ? url : url.slice(0, mark);
    const dialect = plane.dialects.get(path);
    if (dialect !== undefined) {
      if (request.method === "POST") modelCall(plane, dialect, request, response);
      else refuse(plane, response, new TollgateError("method_not_allowed", `${path} answers POST only.`), ["allow", "POST"]);
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    const report = request.method === "GET" || request.method === "HEAD" ? (reports.get(path) ?? detailRoute(options, path)) : undefined;
    if (report === undefined) void manage(request, response);
    else void serve(options, report, request, response, path, new URLSearchParams(mark === -1 ? "" : url.slice(mark + 1)));
  };
}

/**
 * Whole, or piece by piece where it may be long.
 * @param keyId of a key that may see only what it sent itself
 */
type Report = (query: URLSearchParams, keyId: string | undefined) => Promise<string | AsyncIterable<string>>;

const OPEN_TO_ALL = new Set(["/health/liveliness", "/health/liveness", "/health/readiness", "/routes"]);
const OPEN_TO_KEYS = new Set(["/v1/models", "/models"]);
const ONE_REQUEST = /^\/v1\/tollgate\/requests\/([0-9A-Z]{26})$/;

async function serve(options: RouterOptions, report: Report, request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): Promise<void> {
  const { plane, observer } = options;
  try {
    const open = OPEN_TO_ALL.has(path) || (path === "/metrics" && !options.metricsAuth);
    const identity = open ? undefined : plane.identify(request, plane.clock.now());
    const keyId = identity === undefined || identity.isMaster ? undefined : (identity.keyId ?? "");
    if (keyId !== undefined && !OPEN_TO_KEYS.has(path) && !ONE_REQUEST.test(path)) throw new TollgateError("forbidden", "Only the master key may do this.");
    // What is settled is read: entries that wait for the next batch go to the ledger now.
    options.flush();
    const answer = await report(query, keyId);
    const status = path === "/health/readiness" && !options.ready() ? 503 : 200;
    if (typeof answer === "string") send(response, status, answer, path === "/metrics" ? observer.registry.contentType : "application/json");
    else await sendPieces(response, answer);
  } catch (error) {
    refuse(plane, response, error);
  }
}

/** A failure before the first piece is answered as an error; one after it breaks the connection off, so that nobody takes a part for the whole. */
async function sendPieces(response: ServerResponse, pieces: AsyncIterable<string>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  let { value, done } = await iterator.next();
  response.writeHead(200, ["content-type", "application/json"]);
  try {
    for (; done !== true && !response.destroyed; { value, done } = await iterator.next()) {
      if (!response.write(value)) await Promise.race([once(response, "drain"), once(response, "close")]);
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function refuse(plane: DataPlane, response: ServerResponse, error: unknown, headers: readonly string[] = []): void {
  const callId = plane.ids.next(plane.clock.now());
  const known = error instanceof TollgateError ? error : new TollgateError("internal", "A defect of Tollgate.");
  if (known !== error) plane.onDefect(error, callId);
  const status = statusOf(known.code, plane.budgetExceededStatus);
  send(response, status, JSON.stringify(errorBody(known, status, callId)), "application/json", [...headers, "x-litellm-call-id", callId]);
}

function detailRoute(options: RouterOptions, path: string): Report | undefined {
  const requestId = ONE_REQUEST.exec(path)?.[1];
  return requestId === undefined ? undefined : (_, keyId) => requestDetails(options.store, requestId, options.observer.refusals.get(requestId), keyId);
}

/** Every route once, with its methods; a name in braces stands for one part of a path. */
function listRoutes(plane: DataPlane, reports: Iterable<string>, managed: readonly { readonly method: string; readonly path: string }[]): { path: string; methods: string[] }[] {
  const methods = new Map<string, Set<string>>();
  const add = (method: string, path: string): void => void methods.set(path, (methods.get(path) ?? new Set()).add(method));
  for (const path of plane.dialects.keys()) add("POST", path);
  for (const path of [...reports, "/v1/tollgate/requests/{id}"]) add("GET", path);
  for (const { method, path } of managed) add(method, path.replaceAll(/:(\w+)/g, "{$1}"));
  return [...methods].map(([path, set]) => ({ path, methods: [...set].sort() })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

function reportRoutes(options: RouterOptions): Map<string, Report> {
  const { plane, store, books, global, observer } = options;
  const models: Report = async () => JSON.stringify({ object: "list", data: plane.catalogue.modelNames().map((id) => ({ id, object: "model", created: 0, owned_by: "tollgate" })) });
  const alive: Report = async () => JSON.stringify({ status: "alive" });
  return new Map<string, Report>([
    ...costReports(store.costs, () => plane.clock.now()),
    ["/v1/models", models],
    ["/models", models],
    ["/health/liveliness", alive],
    ["/health/liveness", alive],
    ["/health/readiness", async () => JSON.stringify({ status: options.ready() ? "healthy" : "unhealthy", in_flight_requests: plane.engine.inFlight, tollgate: { warnings: options.warnings } })],
    ["/metrics", () => observer.registry.metrics()],
    ["/global/spend", async () => {
      const budget = global.limits.find((limit) => limit.measure === "nanoUsd" && limit.hard);
      const { spent } = books.standingNow(GLOBAL_SCOPE, undefined, budget?.window ?? LIFETIME);
      return `{"spend":${formatNanoUsd(spent)},"max_budget":${budget === undefined ? "null" : formatNanoUsd(budget.cap)}}`;
    }],
    ["/spend/logs", async (query) => {
      const { management } = options;
      return spendLogs(store, spendLogFilter(query, (text) => keyIdOf(management, text)), (keyId) => management.keys.tokenOf(keyId));
    }],
    ["/v1/tollgate/spend", async (query) => {
      const asked = spendQuery(query);
      return JSON.stringify({ by: asked.by, rows: await spendOf(store.costs, asked, plane.clock.now()) });
    }],
    ["/v1/tollgate/audit", async () => JSON.stringify(await store.audit(books.allBalances()))],
  ]);
}

function keyIdOf(management: Management, text: string): string | undefined {
  try {
    return management.keys.info(text).record.id;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: string, contentType: string, headers: readonly string[] = []): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, ["content-type", contentType, "content-length", String(Buffer.byteLength(body)), ...headers]);
  response.end(body);
}
