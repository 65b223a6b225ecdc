/** Where a command writes to. */
export interface Terminal {
  /** Stdout is a terminal: tables instead of JSON. */
  readonly isTerminal: boolean;
  readonly colour: boolean;
  readonly columns: number;
  readonly rows: number;
  out(text: string): void;
  /** Remarks and progress: stderr. */
  remark(text: string): void;
}

const STYLES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;

export type Style = keyof typeof STYLES;

/** Text in a style, where colours are wanted. */
export function styled(terminal: Pick<Terminal, "colour">, style: Style, text: string): string {
  return terminal.colour ? `\u001B[${STYLES[style]}m${text}\u001B[0m` : text;
}

/** A table on a terminal, one JSON document in a pipe or on request. */
export function wantsJson(terminal: Terminal, options: { readonly json?: boolean | undefined }): boolean {
  return options.json === true || !terminal.isTerminal;
}

export function writeJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value)}\n`);
}
