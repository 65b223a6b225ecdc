// Alerts to Slack, each once. The tutorial: `send_cost_alerts_to_slack`. Run tracked-calls.ts first: it writes costs.db.
import { CostAnalyzer, CostMonitor } from "tollgate";
import { slack } from "tollgate/notifications";

const analyzer = new CostAnalyzer("costs.db");
const monitor = new CostMonitor(analyzer, {
  thresholds: { dailyLimit: process.env["DAILY_LIMIT"] ?? 100 },
  channels: [slack({ url: process.env["SLACK_WEBHOOK_URL"] ?? "" })],
  statePath: "monitor.db", // what was sent; a second run sends nothing twice
});

const { alerts, sent } = await monitor.run();
console.log(`${alerts.length} alerts, ${sent} sent`);
await monitor.close();
await analyzer.close();
