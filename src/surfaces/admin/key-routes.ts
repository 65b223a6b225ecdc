import type { Context } from "hono";
import type { Management } from "../../engine/manage/management.ts";
import { invalid, requiredText } from "../../engine/manage/read-fields.ts";
import { pageOf, type Answer, type RouteTable } from "./route-table.ts";
import { keyRow } from "./rows.ts";

export function keyRoutes(routes: RouteTable, { keys }: Management): void {
  routes.post("/key/generate", async (body) => keyRow(await keys.create(body)));
  routes.post("/key/update", async (body) => keyRow(await keys.update(body)));
  routes.post("/key/delete", async (body) => ({ deleted_keys: await keys.delete(body) }));
  routes.post("/key/block", async (body) => keyRow(await keys.block(body, true)));
  routes.post("/key/unblock", async (body) => keyRow(await keys.block(body, false)));
  routes.post("/key/regenerate", async ({ key, ...body }) => keyRow(await keys.regenerate(requiredText({ key }, "key"), body)));
  routes.post("/key/:key/regenerate", async (body, context) => keyRow(await keys.regenerate(context.req.param("key") as string, body)));
  routes.post("/key/:key/reset_spend", async (body, context) => {
    const { view, previous } = await keys.resetSpend(context.req.param("key") as string, body);
    return { key_hash: view.record.tokenHash, previous_spend: previous, ...keyRow(view) };
  });
  routes.getAsAnyone("/key/info", (context, identity) => {
    const asked = context.req.query("key");
    const name = asked ?? keys.tokenOf(identity.keyId);
    if (name === undefined) throw invalid("key", "is required; the master key itself has no record");
    const view = identity.isMaster ? keys.info(name) : keys.ownInfo(name, identity.keyId);
    return { key: asked ?? name, info: keyRow(view) };
  });
  routes.get("/key/list", (context) => keyPage(keys, context));
}

function keyPage(keys: Management["keys"], context: Context): Answer {
  const views = keys.list({ userId: context.req.query("user_id"), teamId: context.req.query("team_id"), alias: context.req.query("key_alias") });
  const { shown, page, pages } = pageOf(context, views, { size: "size", usual: 10 });
  const whole = context.req.query("return_full_object") === "true";
  return { keys: whole ? shown.map(keyRow) : shown.map((view) => view.record.tokenHash), total_count: views.length, current_page: page, total_pages: pages };
}
