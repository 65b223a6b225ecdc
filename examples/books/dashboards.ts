// Charts as files. The tutorial: `CostDashboard`. Run tracked-calls.ts first: it writes costs.db.
import { CostAnalyzer } from "tollgate";
import { plotDailyCosts, plotModelComparison } from "tollgate/charts";

const analyzer = new CostAnalyzer("costs.db");
const daily = await plotDailyCosts(analyzer, { days: 30, path: "daily_costs.png", scale: 2 });
const models = await plotModelComparison(analyzer, { days: 30, path: "model_comparison.svg", theme: "auto" });
console.log(`Drawn: ${daily.path}, ${models.path}`);
await analyzer.close();
