// The simulated provider of the bench: fixed answers at the least possible cost, on a raw socket. Run as its own process;
// tells its port to the parent. It is a stand-in, labelled `x-simulated: bench`, never a model.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { MessageReader } from "./http-framing.ts";
import { CHUNK_INTERVAL_MS, plainResponse, readMarkers, streamParts } from "./traffic.ts";

const plain = plainResponse();
const parts = streamParts();

interface RunningStream {
  readonly socket: Socket;
  readonly wantsUsage: boolean;
  next: number;
}

// Streams are spread over one slot per millisecond of the interval, so that their events do not come in bursts.
const slots: Set<RunningStream>[] = Array.from({ length: CHUNK_INTERVAL_MS }, () => new Set());
let slot = 0;
let started = 0;

setInterval(() => {
  slot = (slot + 1) % slots.length;
  const streams = slots[slot];
  if (streams === undefined) return;
  for (const stream of streams) {
    const event = parts.events[stream.next];
    stream.next += 1;
    if (stream.socket.destroyed) {
      streams.delete(stream);
    } else if (event !== undefined) {
      stream.socket.write(event);
    } else {
      streams.delete(stream);
      stream.socket.write(stream.wantsUsage ? Buffer.concat([parts.usage, parts.done]) : parts.done);
    }
  }
}, 1);

function answer(socket: Socket, body: Buffer): void {
  const { mode, delayMs, stream, wantsUsage } = readMarkers(body);
  if (stream) {
    socket.write(Buffer.concat([parts.head, parts.events[0] ?? Buffer.alloc(0)]));
    if (mode === "idle") return;
    started += 1;
    slots[started % slots.length]?.add({ socket, wantsUsage, next: 1 });
  } else if (mode === "delay") {
    setTimeout(() => socket.write(plain), delayMs);
  } else {
    socket.write(plain);
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  let pieces: Buffer[] = [];
  const reader = new MessageReader({
    head: (text) => {
      if (/\r\nexpect: *100-continue/i.test(text)) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    },
    body: (piece) => pieces.push(piece),
    end: () => {
      const body = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
      pieces = [];
      answer(socket, body);
    },
  });
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", 4_096, () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("disconnect", () => process.exit(0));
