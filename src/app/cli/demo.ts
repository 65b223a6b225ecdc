import { TollgateError } from "../../base/errors.ts";
import type { DemoOptions } from "../../surfaces/cli/program.ts";
import type { Terminal } from "../../surfaces/cli/terminal.ts";

export async function demo(_options: DemoOptions, _terminal: Terminal): Promise<void> {
  throw new TollgateError("usage", "demo");
}
