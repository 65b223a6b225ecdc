import { MAX_NANO_USD, parseDecimal } from "../../base/money.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { SECTIONS, type FieldTable } from "./fields.ts";
import { nearestName } from "../../base/nearest.ts";
import { NumberText, type Tree, type TreeMap } from "./yaml-tree.ts";

/** Where a name that stands in a wrong place may belong. */
const HOMES: readonly (readonly [FieldTable, string])[] = [
  [SECTIONS.litellm, "litellm_settings"], [SECTIONS.general, "general_settings"], [SECTIONS.tollgate, "tollgate"], [SECTIONS.top, "the file's top level"],
  [SECTIONS.model, "an entry of model_list"], [SECTIONS.params, "litellm_params of a model"], [SECTIONS.info, "model_info of a model"],
];

const REFERENCE = "os.environ/";
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Collects every problem and warning of one configuration; none of them quotes a value that may be a secret. */
export class Findings {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  /** Where `os.environ/NAME` looks. */
  readonly environment: ReadonlyMap<string, string>;

  constructor(environment: ReadonlyMap<string, string>) {
    this.environment = environment;
  }

  problem(path: string, sentence: string): void {
    this.problems.push(`${path}: ${sentence}`);
  }
}

/** One mapping of a configuration: typed reads that note a problem with its path and go on. */
export class Section {
  readonly path: string;
  /** It is absent, or a mapping. */
  readonly valid: boolean;
  private readonly tree: TreeMap;
  private readonly findings: Findings;

  constructor(tree: Tree | undefined, path: string, table: FieldTable | undefined, findings: Findings) {
    this.path = path;
    this.findings = findings;
    const present = tree !== undefined && tree !== null;
    this.valid = !present || tree instanceof Map;
    if (!this.valid) findings.problem(path === "" ? "the file" : path, "must be a mapping of names to values.");
    this.tree = present && tree instanceof Map ? (tree as TreeMap) : new Map();
    if (table !== undefined) this.checkNames(table);
  }

  private checkNames(table: FieldTable): void {
    for (const name of this.tree.keys()) {
      const fate = table.get(name);
      const path = this.at(shortName(name));
      if (fate === "read") continue;
      if (fate === "idle") this.findings.warnings.push(`${path} has no function in Tollgate yet and is ignored.`);
      else if (fate === "refused") this.findings.problem(path, "is not supported yet. It limits money or access, so it cannot be ignored: remove it.");
      else this.unknown(path, name, table);
    }
  }

  private unknown(path: string, name: string, table: FieldTable): void {
    const homes = HOMES.filter(([section]) => section.get(name) === "read").map(([, home]) => home);
    if (homes.length > 0) {
      this.findings.problem(path, `is not a known name here; it belongs in ${homes.join(" or ")}.`);
      return;
    }
    const near = nearestName(name, table.keys());
    this.findings.problem(path, `is not a known name${near === undefined ? "." : `; did you mean "${near}"?`}`);
  }

  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  has(name: string): boolean {
    const value = this.tree.get(name);
    return value !== undefined && value !== null;
  }

  raw(name: string): Tree | undefined {
    return this.tree.get(name);
  }

  names(): readonly string[] {
    return [...this.tree.keys()];
  }

  problem(name: string, sentence: string): void {
    this.findings.problem(this.at(name), sentence);
  }

  section(name: string, table: FieldTable | undefined): Section {
    return new Section(this.tree.get(name), this.at(name), table, this.findings);
  }

  /** Text; `os.environ/NAME` is looked up. */
  text(name: string): string | undefined {
    const value = this.tree.get(name);
    if (value === undefined || value === null) return undefined;
    if (value instanceof NumberText) return value.text;
    if (typeof value !== "string") {
      this.problem(name, "must be text.");
      return undefined;
    }
    return this.resolve(name, value);
  }

  private resolve(name: string, value: string): string | undefined {
    if (!value.startsWith(REFERENCE)) return value;
    const variable = value.slice(REFERENCE.length);
    const found = this.findings.environment.get(variable);
    if (found !== undefined && found !== "") return found;
    this.problem(name, `the environment variable ${shortName(variable)} is not set. Set it, or remove this line.`);
    return undefined;
  }

  /** A key or token, as it goes into a header. */
  secret(name: string): string | undefined {
    const text = this.text(name)?.trim();
    if (text === undefined) return undefined;
    if (/^[\x21-\x7e]+$/.test(text)) return text;
    this.problem(name, "must be printable ASCII without spaces, and not empty.");
    return undefined;
  }

  /** An absolute http(s) URL without credentials. */
  url(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url !== undefined && (url.protocol === "http:" || url.protocol === "https:") && url.username === "" && url.password === "") return text.replace(/\/+$/, "");
    this.problem(name, "must be an http or https URL without user and password, such as https://api.example.com/v1.");
    return undefined;
  }

  /** Dollars as nano-dollars, further digits dropped. */
  amount(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const amount = parseDecimal(text.replaceAll("_", ""), 9, "down");
    if (amount !== undefined && amount >= 0n && amount <= MAX_NANO_USD && !text.trim().startsWith("-")) return amount;
    this.problem(name, "must be dollars as a decimal number from 0 up, such as 10 or 0.05.");
    return undefined;
  }

  /** Dollars per unit, as exact text. */
  price(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const amount = parseDecimal(text, 12, "up");
    if (amount !== undefined && amount >= 0n && !text.trim().startsWith("-")) return text.trim();
    this.problem(name, "must be dollars per unit as a decimal number from 0 up, such as 0.00000015 or 1.5e-7.");
    return undefined;
  }

  count(name: string, least = 0, most = COUNT_MAX): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const plain = text.trim().replaceAll("_", "");
    const count = /^\d{1,16}$/.test(plain) ? Number(plain) : Number.NaN;
    if (count >= least && count <= most) return count;
    this.problem(name, most === COUNT_MAX ? `must be a whole number from ${least} up.` : `must be a whole number from ${least} to ${most}.`);
    return undefined;
  }

  duration(name: string): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      parseDuration(text, { param: name });
      return text;
    } catch {
      this.problem(name, 'must be a whole number from 1 and a unit (s, m, h, d, w or mo), such as "24h", "7d" or "30d".');
      return undefined;
    }
  }

  flag(name: string): boolean | undefined {
    const value = this.tree.get(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "boolean") return value;
    // Python's YAML and the environment know more spellings.
    const text = typeof value === "string" ? this.resolve(name, value)?.toLowerCase() : undefined;
    if (text === "true" || text === "yes" || text === "on") return true;
    if (text === "false" || text === "no" || text === "off") return false;
    if (typeof value !== "string" || !value.startsWith(REFERENCE) || text !== undefined) this.problem(name, "must be true or false.");
    return undefined;
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found === undefined) this.problem(name, `must be one of ${choices.join(", ")}.`);
    return found;
  }

  list(name: string): readonly string[] {
    const value = this.tree.get(name);
    if (value === undefined || value === null) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value as string[];
    this.problem(name, "must be a list of texts.");
    return [];
  }

  /** A list of mappings. */
  sections(name: string, table: FieldTable): readonly Section[] {
    const value = this.tree.get(name);
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return (value as Tree[]).map((item, index) => new Section(item, `${this.at(name)}[${index}]`, table, this.findings));
    this.problem(name, "must be a list.");
    return [];
  }
}

/** Outside text in a message: cut, and without control characters. */
function shortName(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]/g, "?");
  return plain.length > 60 ? `${plain.slice(0, 60)}…` : plain;
}
