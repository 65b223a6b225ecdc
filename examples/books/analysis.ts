// Where the money went. The tutorial: `CostAnalyzer`. Run tracked-calls.ts first: it writes costs.db.
import { CostAnalyzer } from "tollgate";

const analyzer = new CostAnalyzer("costs.db", { timeZone: "Europe/Berlin" });

console.log(`Total cost (30 days): $${(await analyzer.total({ days: 30 })).costExact}`);
for (const row of await analyzer.costByModel()) console.log(`model ${row.model}: $${row.costExact} (${row.requests} requests)`);
for (const row of await analyzer.costByUser({ limit: 10 })) console.log(`user ${row.user}: $${row.costExact}`);
for (const day of (await analyzer.dailyCosts()).filter(({ requests }) => requests > 0)) console.log(`day ${day.date}: $${day.costExact}`);
for (const row of await analyzer.costEfficiency()) console.log(`efficiency ${row.label}: $${row.costPerToken} a token, ${row.tokensPerRequest} tokens a request`);
await analyzer.close();
