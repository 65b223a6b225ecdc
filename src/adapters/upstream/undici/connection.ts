import { Client, type Dispatcher } from "undici";

/** What becomes of a connection once its exchange is over. */
export interface ConnectionOwner {
  /** The socket was closed, by us or by the provider. Told for idle and for busy connections. */
  disconnected(connection: Connection): void;
}

/**
 * One HTTP/1.1 connection that carries one exchange at a time. It counts the requests of its socket, so that an
 * exchange knows whether the socket was used before: a `Client` has one socket and tells of each new one.
 */
export class Connection {
  readonly owner: ConnectionOwner;
  /** Carries an exchange now; kept by its owner. */
  busy = true;
  private readonly client: Client;
  private requestsOnSocket = 0;

  constructor(origin: string, options: Client.Options, owner: ConnectionOwner) {
    this.owner = owner;
    this.client = new Client(origin, options);
    this.client.on("connect", () => {
      this.requestsOnSocket = 0;
    });
    this.client.on("disconnect", () => this.owner.disconnected(this));
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(options, handler);
  }

  /** Counts a request that is about to be written. @returns whether the socket carried one before */
  takeSocket(): boolean {
    this.requestsOnSocket += 1;
    return this.requestsOnSocket > 1;
  }

  /** Its socket has carried a request. */
  get wasUsed(): boolean {
    return this.requestsOnSocket > 0;
  }

  destroy(then: () => void = ignore): void {
    this.client.destroy(then);
  }
}

function ignore(): void {}
