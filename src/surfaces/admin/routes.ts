import { Hono, type Context } from "hono";
import { TollgateError } from "../../base/errors.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import type { Management } from "../../engine/manage/management.ts";
import { invalid } from "../../engine/manage/read-fields.ts";
import { exactJson, readExactJson } from "../http/exact-json.ts";
import { errorBody, statusOf } from "../http/status.ts";
import { customerRow, keyRow, memberRow, teamRow, userRow } from "./rows.ts";

export interface AdminDeps {
  readonly management: Management;
  /** @throws TollgateError `missing_key`, `invalid_key`, `key_blocked`, `key_expired` */
  identify(headers: Headers): Identity;
  readonly bodyLimitBytes: number;
  readonly budgetExceededStatus: number;
  /** A defect: the client hears nothing of it. */
  onDefect(error: unknown): void;
}

type Answer = Record<string, unknown>;

/** The management routes under LiteLLM's paths. For the master key only, except what a key may ask about itself. */
export function createAdmin(deps: AdminDeps): Hono {
  const app = new Hono();
  const { management } = deps;
  const post = (path: string, work: (body: Record<string, unknown>) => Promise<Answer>): void => {
    app.post(path, async (context) => {
      onlyMaster(deps.identify(context.req.raw.headers));
      return reply(context, await work(await readBody(context, deps.bodyLimitBytes)));
    });
  };
  const get = (path: string, work: (context: Context) => Answer): void => {
    app.get(path, (context) => {
      onlyMaster(deps.identify(context.req.raw.headers));
      return reply(context, work(context));
    });
  };

  post("/key/generate", async (body) => keyRow(await management.createKey(body)));
  post("/key/update", async (body) => keyRow(await management.updateKey(body)));
  post("/key/delete", async (body) => ({ deleted_keys: await management.deleteKeys(body) }));
  post("/key/block", async (body) => keyRow(await management.blockKey(body, true)));
  post("/key/unblock", async (body) => keyRow(await management.blockKey(body, false)));
  app.get("/key/info", (context) => {
    const identity = deps.identify(context.req.raw.headers);
    const asked = context.req.query("key");
    const name = asked ?? management.tokenOf(identity.keyId);
    if (name === undefined) throw invalid("key", "is required; the master key itself has no record");
    const view = identity.isMaster ? management.keyInfo(name) : management.ownKeyInfo(name, identity.keyId);
    return reply(context, { key: asked ?? name, info: keyRow(view) });
  });
  get("/key/list", (context) => keyPage(management, context));

  post("/user/new", async (body) => userRow(await management.createUser(body)));
  get("/user/info", (context) => {
    const userId = required(context, "user_id");
    return { user_id: userId, user_info: userRow(management.userInfo(userId)), keys: management.listKeys({ userId }).map(keyRow), teams: [] };
  });

  post("/team/new", async (body) => teamRow(await management.createTeam(body), []));
  post("/team/member_add", async (body) => {
    const added = await management.addTeamMember(body);
    const teamId = String(body["team_id"]);
    return { ...teamRow(management.teamInfo(teamId), management.membersOf(teamId)), updated_team_memberships: added.map(memberRow) };
  });
  get("/team/info", (context) => {
    const teamId = required(context, "team_id");
    const members = management.membersOf(teamId);
    return { team_id: teamId, team_info: teamRow(management.teamInfo(teamId), members), keys: management.listKeys({ teamId }).map(keyRow), team_memberships: members.map(memberRow) };
  });

  post("/customer/new", async (body) => customerRow(await management.createCustomer(body)));
  get("/customer/info", (context) => customerRow(management.customerInfo(required(context, "end_user_id"))));

  app.onError((error, context) => {
    const known = error instanceof TollgateError ? error : new TollgateError("internal", "A defect of Tollgate.");
    if (known.code === "internal") deps.onDefect(error);
    const status = statusOf(known.code, deps.budgetExceededStatus);
    return context.body(JSON.stringify(errorBody(known, status)), status as 400, { "content-type": "application/json" });
  });
  return app;
}

function onlyMaster(identity: Identity): void {
  if (!identity.isMaster) throw new TollgateError("forbidden", "Only the master key may do this.");
}

async function readBody(context: Context, maxBytes: number): Promise<Record<string, unknown>> {
  const declared = Number(context.req.header("content-length") ?? 0);
  const source = declared > maxBytes ? undefined : await context.req.arrayBuffer();
  if (source === undefined || source.byteLength > maxBytes) throw new TollgateError("body_too_large", `The body is larger than ${maxBytes} bytes. Send less.`);
  return readExactJson(new TextDecoder().decode(source));
}

function reply(context: Context, answer: Answer): Response {
  return context.body(exactJson(answer), 200, { "content-type": "application/json" });
}

function required(context: Context, name: string): string {
  const value = context.req.query(name);
  if (value === undefined || value === "") throw invalid(name, "is required in the query");
  return value;
}

function keyPage(management: Management, context: Context): Answer {
  const page = wholeNumber(context, "page", 1, Number.MAX_SAFE_INTEGER);
  const size = wholeNumber(context, "size", 10, 100);
  const views = management.listKeys({ userId: context.req.query("user_id"), teamId: context.req.query("team_id"), alias: context.req.query("key_alias") });
  const shown = views.slice((page - 1) * size, page * size);
  const whole = context.req.query("return_full_object") === "true";
  return { keys: whole ? shown.map(keyRow) : shown.map((view) => view.record.tokenHash), total_count: views.length, current_page: page, total_pages: Math.ceil(views.length / size) };
}

function wholeNumber(context: Context, name: string, otherwise: number, most: number): number {
  const text = context.req.query(name);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > most) throw invalid(name, `must be a whole number from 1 to ${most}`);
  return value;
}
