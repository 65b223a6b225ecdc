import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { TollgateError } from "../../base/errors.ts";

/** Serves on an address. @throws TollgateError `port_in_use`, `address_unavailable` */
export async function listen(server: Server, host: string, port: number): Promise<{ server: Server; url: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explained(error, host, port)));
    server.listen(port, host, () => resolve());
  });
  return { server, url: `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}` };
}

function explained(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === "EADDRINUSE") return new TollgateError("port_in_use", `Port ${port} on ${host} is taken by another program. Stop it, or choose another port with --port.`, { cause: error });
  const reason = error.code === "EACCES" ? `this user may not use port ${port}; take one above 1023 with --port` : `it is no address of this machine (${error.code}); choose another with --host, such as 127.0.0.1 or 0.0.0.0`;
  return new TollgateError("address_unavailable", `The gateway cannot listen on ${host}: ${reason}.`, { cause: error });
}
