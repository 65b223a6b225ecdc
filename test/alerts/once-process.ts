import { CostAnalyzer } from "../../src/app/books/cost-analyzer.ts";
import { CostMonitor } from "../../src/app/books/cost-monitor.ts";
import { slack } from "../../src/notifications.ts";

// One of several processes that watch the same books with the same state.
const [ledger = "", statePath = "", url = "", now = ""] = process.argv.slice(2);
const monitor = new CostMonitor(new CostAnalyzer(ledger, { now: () => Number(now) }), { thresholds: { dailyLimit: 1, userLimit: 1 }, anomalies: false, statePath, channels: [slack({ url })] });
await monitor.run();
process.stdout.write(JSON.stringify(await monitor.deliveries()));
await monitor.close();
