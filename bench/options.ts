// The command line of the bench.
import { parseArgs } from "node:util";

export interface Lengths {
  readonly rounds: number;
  readonly warmUpMs: number;
  readonly plainMs: number;
  readonly fixedRateMs: number;
  readonly streamMs: number;
  readonly idleStreams: number;
}

export const KINDS = ["plain", "rate", "streams", "memory"] as const;
export type Kind = (typeof KINDS)[number];

export interface Options extends Lengths {
  readonly only: readonly string[] | undefined;
  readonly kinds: readonly Kind[];
  readonly jsonFile: string | undefined;
  readonly write: boolean;
  readonly parts: boolean;
  readonly streams: boolean;
}

const FULL: Lengths = { rounds: 5, warmUpMs: 4_000, plainMs: 6_000, fixedRateMs: 6_000, streamMs: 5_000, idleStreams: 2_000 };
const QUICK: Lengths = { rounds: 3, warmUpMs: 800, plainMs: 800, fixedRateMs: 500, streamMs: 600, idleStreams: 2_000 };

export const HELP = `Usage: npm run bench -- [options]
  --quick            short rounds: about 40 s, for a first impression only
  --only a,b         some of: floor, tollgate, portkey
  --kinds a,b        some of: ${KINDS.join(", ")}
  --rounds N         interleaved rounds (full: ${FULL.rounds}, quick: ${QUICK.rounds})
  --json FILE        also write every figure of every round
  --write            write the table into bench/README.md (with --parts: the table of parts)
  --parts            instead: profile Tollgate under load and print where its time goes
  --streams          with --parts: under streams
`;

export function readOptions(words: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: "boolean", default: false }, only: { type: "string" }, kinds: { type: "string" }, rounds: { type: "string" }, json: { type: "string" },
      write: { type: "boolean", default: false }, parts: { type: "boolean", default: false }, streams: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const lengths = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? lengths.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number of at least 1, not "${values.rounds}".`);
  const kinds = values.kinds?.split(",") ?? KINDS;
  const unknown = kinds.find((kind) => !KINDS.includes(kind as Kind));
  if (unknown !== undefined) throw new Error(`--kinds does not know "${unknown}"; there are: ${KINDS.join(", ")}.`);
  return { ...lengths, rounds, kinds: kinds as readonly Kind[], only: values.only?.split(","), jsonFile: values.json, write: values.write, parts: values.parts, streams: values.streams };
}
