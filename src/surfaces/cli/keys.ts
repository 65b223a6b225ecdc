import { parseNanoUsd } from "../../base/money.ts";
import { count, dollarColumn, dollars } from "./amounts.ts";
import { ask, type GatewayAddress } from "./gateway-client.ts";
import { tableLines, type Column } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

export interface CreateKeyOptions {
  readonly budget?: string;
  readonly duration?: string;
  readonly alias?: string;
  readonly team?: string;
  readonly internalUser?: string;
  readonly models?: string;
  readonly rpm?: string;
  readonly tpm?: string;
  readonly json?: boolean;
  /** Prints the key and nothing else, for `KEY=$(…)`. */
  readonly keyOnly?: boolean;
}

interface KeyRow {
  readonly key_name: string;
  readonly key_alias: string | null;
  readonly team_id: string | null;
  readonly spend: number;
  readonly max_budget: number | null;
  readonly budget_duration: string | null;
  readonly blocked: boolean;
  readonly expires: string | null;
}

const PAGE = 100;

/** Makes a key on the gateway and shows it, the only time that it can be seen. */
export async function createKey(terminal: Terminal, gateway: GatewayAddress, options: CreateKeyOptions): Promise<void> {
  const made = (await ask(gateway, "/key/generate", {
    ...given("max_budget", options.budget), ...given("budget_duration", options.duration), ...given("key_alias", options.alias),
    ...given("team_id", options.team), ...given("user_id", options.internalUser),
    ...given("models", options.models?.split(",").map((name) => name.trim())), ...given("rpm_limit", whole(options.rpm)), ...given("tpm_limit", whole(options.tpm)),
  })) as { key: string; max_budget: number | null; budget_duration: string | null };
  if (options.keyOnly === true) terminal.out(`${made.key}\n`);
  else if (wantsJson(terminal, options)) writeJson(terminal, made);
  else {
    terminal.out(`${styled(terminal, "bold", made.key)}\n`);
    terminal.remark(`Budget: ${budgetText(made.max_budget, made.budget_duration)}. The key is not kept and cannot be shown again.\n`);
  }
}

export async function listKeys(terminal: Terminal, gateway: GatewayAddress, options: { readonly json?: boolean }): Promise<void> {
  const keys: KeyRow[] = [];
  for (let page = 1, pages = 1; page <= pages; page += 1) {
    const answer = (await ask(gateway, `/key/list?return_full_object=true&size=${PAGE}&page=${page}`)) as { keys: KeyRow[]; total_pages: number };
    keys.push(...answer.keys);
    pages = answer.total_pages;
    if (pages > 5) terminal.remark(terminal.isTerminal ? `\r${count(keys.length)} keys …${page === pages ? "\r\u001B[K" : ""}` : "");
  }
  if (wantsJson(terminal, options)) {
    writeJson(terminal, keys);
    return;
  }
  if (keys.length === 0) {
    terminal.out("There are no keys yet. Make one with `keys create --budget 10 --duration 30d`.\n");
    return;
  }
  const columns: readonly Column[] = [
    { title: "key", align: "left" }, { title: "alias", align: "left", shrinks: true }, { title: "team", align: "left", shrinks: true },
    { title: "spend", align: "right" }, { title: "budget", align: "right" }, { title: "state", align: "left" },
  ];
  const spends = dollarColumn(keys.map((key) => nano(key.spend)));
  const rows = keys.map((key, index) => ({
    cells: [key.key_name, key.key_alias ?? "", key.team_id ?? "", spends[index] ?? "", budgetText(key.max_budget, key.budget_duration), stateOf(key)],
    ...(key.blocked ? { style: "red" as const } : {}),
  }));
  terminal.out(`${tableLines(terminal, columns, rows).join("\n")}\n`);
}

/** What a limit is missing is said, not left blank. */
function budgetText(amount: number | null, duration: string | null): string {
  if (amount === null) return "none";
  return duration === null ? dollars(nano(amount)) : `${dollars(nano(amount))} / ${duration}`;
}

function stateOf(key: KeyRow): string {
  if (key.blocked) return "blocked";
  return key.expires !== null && Date.parse(key.expires) <= Date.now() ? "expired" : "active";
}

/** A number of the API is an exact decimal; its shortest print gives the same digits back. */
function nano(amount: number): bigint {
  return parseNanoUsd(String(amount)) ?? 0n;
}

function whole(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function given(name: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [name]: value };
}
