import type { Management, View } from "../../engine/manage/management.ts";
import { pageOf, requiredQuery, type RouteTable } from "./route-table.ts";
import { keyRow, memberRow, teamRow } from "./rows.ts";

export function teamRoutes(routes: RouteTable, { keys, teams }: Management): void {
  const row = (view: View<"team">): Record<string, unknown> => teamRow(view, teams.membersOf(view.record.teamId));
  routes.post("/team/new", async (body) => row(await teams.create(body)));
  routes.post("/team/update", async (body) => {
    const view = await teams.update(body);
    return { team_id: view.record.teamId, data: row(view) };
  });
  routes.post("/team/delete", async (body) => ({ deleted_teams: await teams.delete(body) }));
  routes.post("/team/block", async (body) => row(await teams.block(body, true)));
  routes.post("/team/unblock", async (body) => row(await teams.block(body, false)));
  routes.post("/team/member_add", async (body) => {
    const added = await teams.addMembers(body);
    return { ...row(teams.info(String(body["team_id"]))), updated_team_memberships: added.map(memberRow) };
  });
  routes.post("/team/member_update", async (body) => memberRow(await teams.updateMember(body)));
  routes.post("/team/member_delete", async (body) => row(await teams.deleteMember(body)));
  routes.post("/team/:team_id/reset_spend", async (body, context) => {
    const { view, previous } = await teams.resetSpend(context.req.param("team_id") as string, body);
    return { previous_spend: previous, ...row(view) };
  });
  routes.post("/team/:team_id/member/:user_id/reset_spend", async (body, context) => {
    const { view, previous } = await teams.resetMemberSpend(context.req.param("team_id") as string, context.req.param("user_id") as string, body);
    return { previous_spend: previous, ...memberRow(view) };
  });
  routes.get("/team/info", (context) => {
    const teamId = requiredQuery(context, "team_id");
    return { team_id: teamId, team_info: row(teams.info(teamId)), keys: keys.list({ teamId }).map(keyRow), team_memberships: teams.membersOf(teamId).map(memberRow) };
  });
  routes.get("/team/list", (context) => teams.list(context.req.query("user_id")).map((view) => {
    const { teamId } = view.record;
    return { ...row(view), keys: keys.list({ teamId }).map(keyRow), team_memberships: teams.membersOf(teamId).map(memberRow) };
  }));
  routes.get("/v2/team/list", (context) => {
    const alias = context.req.query("team_alias");
    const teamId = context.req.query("team_id");
    const views = teams.list(context.req.query("user_id")).filter(({ record }) => (alias === undefined || record.alias === alias) && (teamId === undefined || record.teamId === teamId));
    const { shown, page, size, pages } = pageOf(context, views, { size: "page_size", usual: 10 });
    return { teams: shown.map(row), total: views.length, page, page_size: size, total_pages: pages };
  });
}
