import { crc32 } from "node:zlib";

const USUAL_BYTES = 64 * 1024;

/**
 * The lines of one write, put together in one buffer that is used again: a line is encoded once, and its checksum is
 * taken over those bytes, where a text would be encoded for the checksum and once more for the file.
 */
export class LineBuffer {
  private buffer = Buffer.allocUnsafeSlow(USUAL_BYTES);
  private end = 0;

  /** Adds the line `checksum sequence record`. */
  add(sequence: number, record: string): void {
    // A character takes three bytes at most; checksum, sequence number, spaces and line feed take less than 32.
    this.makeRoom(record.length * 3 + 32);
    const { buffer, end } = this;
    const start = end + 9;
    const after = start + buffer.write(`${sequence} ${record}`, start, "utf8");
    buffer.write(`${crc32(buffer.subarray(start, after)).toString(16).padStart(8, "0")} `, end, "latin1");
    buffer[after] = 10;
    this.end = after + 1;
  }

  /** What was added since `clear`; valid until something is added. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.end);
  }

  clear(): void {
    this.end = 0;
    // One burst must not hold its memory for ever.
    if (this.buffer.length > 16 * USUAL_BYTES) this.buffer = Buffer.allocUnsafeSlow(USUAL_BYTES);
  }

  private makeRoom(size: number): void {
    if (this.end + size <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.end + size, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.end);
    this.buffer = larger;
  }
}
