// Every entry as CSV. The tutorial: `export_costs_to_csv`. Run tracked-calls.ts first: it writes costs.db.
import { exportCosts } from "tollgate/exports";

const { rows, totalExact } = await exportCosts("costs.db", { path: "costs_export.csv", days: 30 });
console.log(`Exported ${rows} records, $${totalExact}, to costs_export.csv`);
