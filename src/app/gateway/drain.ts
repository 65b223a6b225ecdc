import type { Server } from "node:http";
import type { Engine } from "../../engine/engine.ts";

/** Ends what is in flight: waits, and after `patienceMs` cancels and charges the holds (GATE 5.7). No new connections meanwhile. */
export async function drain(server: Server, engine: Engine, patienceMs: number): Promise<void> {
  server.close();
  server.closeIdleConnections();
  const drained = new Promise<boolean>((resolve) => engine.whenIdle(() => resolve(true)));
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), patienceMs).unref());
  if (!(await Promise.race([drained, late]))) {
    engine.cancelAll();
    await drained;
  }
  // The last answers are written in this turn.
  await new Promise((resolve) => setImmediate(resolve));
  server.closeAllConnections();
}
