import type { Management } from "../../engine/manage/management.ts";
import { pageOf, requiredQuery, type RouteTable } from "./route-table.ts";
import { keyRow, userRow } from "./rows.ts";

export function userRoutes(routes: RouteTable, { keys, users }: Management): void {
  routes.post("/user/new", async (body) => userRow(await users.create(body)));
  routes.post("/user/update", async (body) => {
    const view = await users.update(body);
    return { user_id: view.record.userId, data: userRow(view) };
  });
  routes.post("/user/delete", (body) => users.delete(body));
  routes.post("/user/:user_id/reset_spend", async (body, context) => {
    const { view, previous } = await users.resetSpend(context.req.param("user_id") as string, body);
    return { previous_spend: previous, ...userRow(view) };
  });
  routes.get("/user/info", (context) => {
    const userId = requiredQuery(context, "user_id");
    return { user_id: userId, user_info: userRow(users.info(userId)), keys: keys.list({ userId }).map(keyRow), teams: users.teamsOf(userId) };
  });
  routes.get("/user/list", (context) => {
    const wanted = context.req.query("user_ids")?.split(",");
    const views = users.list().filter(({ record }) => wanted === undefined || wanted.includes(record.userId));
    const { shown, page, size, pages } = pageOf(context, views, { size: "page_size", usual: 25 });
    const rows = shown.map((view) => ({ ...userRow(view), key_count: keys.list({ userId: view.record.userId }).length }));
    return { users: rows, total: views.length, page, page_size: size, total_pages: pages };
  });
}
