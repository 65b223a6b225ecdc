import { Connection, type ConnectionOptions, type ConnectionOwner } from "./connection.ts";
import type { ConnectionSource } from "./exchange.ts";

/**
 * The connections to one origin. Each exchange has a connection of its own; idle ones wait on a stack, so that the one
 * used last, the least likely to be closed, serves next.
 *
 * This takes the place of `undici.Pool`, which looks through all its connections for a free one (with thousands of
 * open streams that is most of a request's cost) and does not tell which one it chose: GATE 5.4 needs to know whether
 * a connection was used before, and to get one that never was.
 */
export class OriginConnections implements ConnectionSource, ConnectionOwner {
  private readonly origin: string;
  private readonly options: ConnectionOptions;
  private readonly idle: Connection[] = [];
  /** Busy and idle ones. Which are busy stands in themselves: a set that is changed twice per request costs more. */
  private readonly living = new Set<Connection>();
  private readonly leaving = new Set<Connection>();
  private closed = false;
  /** Who waits for the last connection to go; several, when `destroy` follows on `close`. */
  private readonly waiting: (() => void)[] = [];

  constructor(origin: string, options: ConnectionOptions) {
    this.origin = origin;
    this.options = options;
  }

  take(): Connection {
    const connection = this.idle.pop();
    if (connection === undefined) return this.fresh();
    connection.busy = true;
    return connection;
  }

  fresh(): Connection {
    const connection = new Connection(this.origin, this.options, this);
    this.living.add(connection);
    return connection;
  }

  giveBack(connection: Connection): void {
    if (!connection.busy) return;
    connection.busy = false;
    if (this.closed) this.dismiss(connection);
    else this.idle.push(connection);
  }

  discard(connection: Connection): void {
    if (!connection.busy) return;
    connection.busy = false;
    this.dismiss(connection);
  }

  /** An idle connection that the provider closed is forgotten at once, so nobody is ever sent into it. */
  disconnected(connection: Connection): void {
    const index = this.idle.lastIndexOf(connection);
    if (index === -1) return;
    this.idle.splice(index, 1);
    this.dismiss(connection);
  }

  /** Resolves once every exchange is over and every socket closed. */
  close(): Promise<void> {
    this.closed = true;
    for (const connection of this.idle.splice(0)) this.dismiss(connection);
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.tellIfEmpty();
    });
  }

  /** Breaks off what is open; each exchange hears a failure. */
  destroy(): Promise<void> {
    // A broken exchange discards its connection itself, after it has decided what to say.
    for (const connection of this.living) if (connection.busy) connection.destroy();
    return this.close();
  }

  private dismiss(connection: Connection): void {
    this.living.delete(connection);
    this.leaving.add(connection);
    connection.destroy(() => {
      this.leaving.delete(connection);
      this.tellIfEmpty();
    });
  }

  private tellIfEmpty(): void {
    if (!this.closed || this.living.size > 0 || this.leaving.size > 0) return;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
