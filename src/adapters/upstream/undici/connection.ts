import { Client, type buildConnector, type Dispatcher } from "undici";
import { InterimFilter } from "./interim.ts";

export interface ConnectionOptions extends Client.Options {
  readonly connect: buildConnector.connector;
}

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
  private interim: InterimFilter | undefined;

  constructor(origin: string, options: ConnectionOptions, owner: ConnectionOwner) {
    this.owner = owner;
    const connect: buildConnector.connector = (target, callback) => options.connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      this.interim = new InterimFilter(socket);
      callback(null, socket);
    });
    this.client = new Client(origin, { ...options, connect });
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
    this.interim?.expect();
    return this.requestsOnSocket > 1;
  }

  /** Its socket has carried a request. */
  get wasUsed(): boolean {
    return this.requestsOnSocket > 0;
  }

  /** Bytes came that undici does not know of: the provider has the request. */
  get continued(): boolean {
    return this.interim?.continued === true;
  }

  destroy(then: () => void = ignore): void {
    this.client.destroy(then);
  }
}

function ignore(): void {}
