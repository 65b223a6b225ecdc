import { Hono } from "hono";
import { TollgateError } from "../../base/errors.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import type { Management } from "../../engine/manage/management.ts";
import { RefusedError } from "../gateway/refusal.ts";
import { errorBody, statusOf } from "../http/status.ts";
import { customerRoutes } from "./customer-routes.ts";
import { keyRoutes } from "./key-routes.ts";
import { RouteTable } from "./route-table.ts";
import { teamRoutes } from "./team-routes.ts";
import { userRoutes } from "./user-routes.ts";

export interface AdminDeps {
  readonly management: Management;
  /** @throws TollgateError `missing_key`, `invalid_key`, `key_blocked`, `key_expired` */
  identify(headers: Headers): Identity;
  readonly bodyLimitBytes: number;
  readonly budgetExceededStatus: number;
  /** Further routes that answer here. */
  readonly more?: (routes: RouteTable) => void;
  /** A defect: the client hears nothing of it. */
  onDefect(error: unknown): void;
}

/** The management routes under LiteLLM's paths. For the master key only, except what a key may ask about itself. */
export function createAdmin(deps: AdminDeps): Hono {
  const app = new Hono();
  const routes = new RouteTable({ app, identify: (headers) => deps.identify(headers), bodyLimitBytes: deps.bodyLimitBytes });
  keyRoutes(routes, deps.management);
  userRoutes(routes, deps.management);
  teamRoutes(routes, deps.management);
  customerRoutes(routes, deps.management);
  deps.more?.(routes);
  app.onError((error, context) => {
    const known = error instanceof TollgateError ? error : new TollgateError("internal", "A defect of Tollgate.");
    if (known.code === "internal") deps.onDefect(error);
    const status = statusOf(known.code, deps.budgetExceededStatus);
    for (const [name, value] of headersOf(known)) context.header(name, value);
    return context.body(JSON.stringify(errorBody(known, status)), status as 400, { "content-type": "application/json" });
  });
  return app;
}

/** The headers of a refusal, from its flat list. */
function* headersOf(error: TollgateError): Generator<readonly [string, string]> {
  if (!(error instanceof RefusedError)) return;
  for (let at = 0; at + 1 < error.headers.length; at += 2) yield [error.headers[at] as string, error.headers[at + 1] as string];
}
