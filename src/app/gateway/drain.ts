import type { Server } from "node:http";
import type { Engine } from "../../engine/engine.ts";
import { closeHttpServer } from "../../surfaces/http/http-server.ts";

/** For the last bytes of the last answers. */
const LAST_BYTES_MS = 2_000;

/**
 * Ends what is in flight: waits, and after `patienceMs` cancels and charges the holds (GATE 5.7). The port stays open
 * meanwhile, so that whoever asks hears that the gateway is stopping, and not a refused connection.
 */
export async function drain(server: Server, engine: Engine, patienceMs: number): Promise<void> {
  const drained = new Promise<boolean>((resolve) => engine.whenIdle(() => resolve(true)));
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), patienceMs).unref());
  if (!(await Promise.race([drained, late]))) {
    engine.cancelAll();
    await drained;
  }
  await closeHttpServer(server, LAST_BYTES_MS);
}
