import { writeSync } from "node:fs";
import type { Terminal } from "../../surfaces/cli/terminal.ts";

/** The terminal of this process. Colours: on a terminal, without `NO_COLOR`. */
export function processTerminal(): Terminal {
  const { stdout } = process;
  const isTerminal = stdout.isTTY === true;
  const noColour = process.env["NO_COLOR"];
  return {
    isTerminal,
    colour: isTerminal && (noColour === undefined || noColour === "") && process.env["TERM"] !== "dumb",
    get columns() { return isTerminal ? Math.max(40, stdout.columns) : 100; },
    get rows() { return isTerminal ? Math.max(10, stdout.rows) : 50; },
    out: (text) => write(1, text),
    remark: (text) => write(2, text),
  };
}

/** Writes at once, so that nothing is lost when the process ends. A reader that has gone (`| head`) ends the command quietly. */
function write(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") process.exit(0);
      if (code !== "EAGAIN") throw error;
    }
  }
}
