// Alerts and a report. The tutorial: `CostMonitor`. Run tracked-calls.ts first: it writes costs.db.
import { CostAnalyzer, CostMonitor } from "tollgate";

const analyzer = new CostAnalyzer("costs.db");
const monitor = new CostMonitor(analyzer, {
  thresholds: { dailyLimit: process.env["DAILY_LIMIT"] ?? 100, userLimit: 10, modelLimit: 50 },
});

const alerts = await monitor.checkAlerts();
if (alerts.length === 0) console.log("No cost alerts");
for (const alert of alerts) console.log(`${alert.kind}: ${alert.message}`);

const report = await monitor.generateReport({ days: 30 });
console.log(`Total 30-day cost: $${report.total.costExact}, ${report.byModel.length} models, ${report.byUser.length} users, ${report.alerts?.length} alerts`);
await monitor.close();
await analyzer.close();
