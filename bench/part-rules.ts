// Which part of the gate a piece of CPU time belongs to. The first rule that fits wins; a frame that fits none (a Node
// built-in, a native function) belongs to whoever called it. Edit freely when files move.

export interface PartRule {
  readonly part: string;
  /** Tried on the frame's URL with the repository's folder cut off, such as `src/engine/admit.ts` or `node:_http_server`. */
  readonly file?: RegExp;
  /** Tried on the function's name. Both must fit if both are given. */
  readonly name?: RegExp;
}

export const PART_RULES: readonly PartRule[] = [
  { part: "identify", name: /^(hash|hashKey|sameHash|identify|identifyKey|keyIn)$/ },
  // The floor pays for these too.
  { part: "http", file: /^(node:_http|node:internal\/http|src\/surfaces\/|bench\/floor)/ },
  { part: "upstream", file: /(^node_modules\/undici\/|^src\/adapters\/upstream\/)/ },
  // What the gate adds.
  { part: "hand-over", name: /^postMessage$/ },
  { part: "hand-over", file: /^src\/(app\/gateway\/hand-over|adapters\/stores\/.*(hand|queue|outbox|client))/ },
  { part: "journal", file: /^src\/adapters\/(books\/.*)?journal/ },
  { part: "identify", file: /^src\/(engine|domain\/scopes|adapters)\/?.*(identi|key|directory|scope)/ },
  { part: "read request and usage", file: /^src\/(adapters\/(providers|dialects)|domain\/(upstream|usage))/ },
  { part: "price", file: /^src\/(domain\/pricing|adapters\/prices|base\/money)/ },
  { part: "admit and settle", file: /^src\/(domain\/(limits|windows|ledger)|adapters\/books|engine|base)\// },
  { part: "writer thread", file: /^src\/adapters\/stores\// },
  { part: "log and metrics", file: /^node_modules\/(pino|sonic-boom|prom-client|thread-stream|tdigest|bintrees)/ },
  { part: "other Tollgate code", file: /^src\// },
];

/** A worker thread that touches one of these is the writer. */
export const WRITER_FILES = /(writer|sqlite|ledger)/;
