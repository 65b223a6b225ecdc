import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { TollgateError } from "../../base/errors.ts";

/** Serves on an address. @throws TollgateError `port_in_use` */
export async function listen(server: Server, host: string, port: number): Promise<{ server: Server; url: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explained(error, host, port)));
    server.listen(port, host, () => resolve());
  });
  return { server, url: `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}` };
}

function explained(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== "EADDRINUSE") return error;
  return new TollgateError("port_in_use", `Port ${port} on ${host} is taken by another program. Stop it, or choose another port with --port.`, { cause: error });
}
