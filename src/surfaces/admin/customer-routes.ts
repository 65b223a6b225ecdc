import type { Management } from "../../engine/manage/management.ts";
import { requiredQuery, type RouteTable } from "./route-table.ts";
import { customerRow } from "./rows.ts";

/** Both names that LiteLLM has for the same thing. */
const NAMES = ["customer", "end_user"];

export function customerRoutes(routes: RouteTable, { customers }: Management): void {
  for (const name of NAMES) {
    routes.post(`/${name}/new`, async (body) => customerRow(await customers.create(body)));
    routes.post(`/${name}/update`, async (body) => customerRow(await customers.update(body)));
    routes.post(`/${name}/delete`, async (body) => {
      const count = await customers.delete(body);
      return { deleted_customers: count, message: `${count} deleted. What was charged to them stays in the ledger.` };
    });
    routes.post(`/${name}/block`, async (body) => ({ blocked_users: (await customers.block(body, true)).map(customerRow) }));
    routes.post(`/${name}/unblock`, async (body) => ({ unblocked_users: (await customers.block(body, false)).map(customerRow) }));
    routes.post(`/${name}/:user_id/reset_spend`, async (body, context) => {
      const { view, previous } = await customers.resetSpend(context.req.param("user_id") as string, body);
      return { previous_spend: previous, ...customerRow(view) };
    });
    routes.get(`/${name}/info`, (context) => customerRow(customers.info(requiredQuery(context, "end_user_id"))));
    routes.get(`/${name}/list`, () => customers.list().map(customerRow));
  }
}
