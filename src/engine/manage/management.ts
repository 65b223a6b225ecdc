import type { Clock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { UlidSource } from "../../base/ids.ts";
import type { LedgerStore } from "../../domain/ledger/store.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import type { Scope } from "../../domain/scopes/scope.ts";
import { addLifetime } from "../../domain/windows/parse-duration.ts";
import { LIFETIME, type WindowSpec } from "../../domain/windows/window.ts";
import { memberName, type Directory } from "./directory.ts";
import { checkFields } from "./fields.ts";
import { ALLOWANCE_FIELDS, invalid, NO_ALLOWANCE, optionalText, readAllowance, requiredText, texts, type Body } from "./read-fields.ts";
import type { KeyRecord, RecordKinds, Row } from "./records.ts";

type Kind = keyof RecordKinds;

export interface Spend {
  readonly spent: bigint;
  readonly held: bigint;
  readonly lifetime: bigint;
}

export interface ManagementOptions {
  readonly directory: Directory;
  readonly store: Pick<LedgerStore, "change">;
  readonly ids: UlidSource;
  readonly clock: Clock;
  hashKey(key: string): string;
  randomKey(): string;
  standing(scope: Scope, spec: WindowSpec): Spend;
  /** Makes counters for new limits, with their history (GATE 6.3). */
  seed(limits: readonly Limit[]): Promise<void>;
}

const KEY_FIELDS = [...ALLOWANCE_FIELDS, "key", "key_alias", "duration", "user_id", "team_id", "metadata", "tags"];

/** The use cases of the control plane: each reads a body, writes records in one transaction, then takes them in. */
export class Management {
  private readonly options: ManagementOptions;
  private readonly directory: Directory;

  constructor(options: ManagementOptions) {
    this.options = options;
    this.directory = options.directory;
  }

  async createKey(body: Body): Promise<{ key: string; row: Row<KeyRecord>; warnings: string[] }> {
    const warnings = checkFields(body, KEY_FIELDS);
    const key = optionalText(body, "key") ?? this.options.randomKey();
    if (!key.startsWith("sk-") || key.length < 16) throw invalid("key", 'text that begins with "sk-" and has 16 characters at least');
    const hash = this.options.hashKey(key);
    if (this.directory.find("key", hash) !== undefined) throw new TollgateError("already_exists", "This key exists already. Choose another, or leave `key` out.", { param: "key" });
    const now = this.options.clock.now();
    const value = this.readKey(body, { ...NO_ALLOWANCE, createdAt: now, hash, name: `sk-...${key.slice(-4)}`, alias: null, teamId: null, userId: null, expiresAt: null, metadata: {}, tags: [] });
    const row = await this.insert("key", value, now);
    return { key, row, warnings };
  }

  async updateKey(body: Body): Promise<{ row: Row<KeyRecord>; warnings: string[] }> {
    const warnings = checkFields(body, KEY_FIELDS);
    const before = this.key(requiredText(body, "key"));
    return { row: await this.update("key", before, this.readKey(body, before.value)), warnings };
  }

  async deleteKeys(names: readonly string[]): Promise<void> {
    const rows = names.map((name) => this.key(name));
    await this.options.store.change(rows.map((row) => ({ kind: "key", id: row.id, expectedVersion: row.version, document: null })));
    for (const row of rows) this.directory.remove("key", row.id);
  }

  blockKey(name: string, blocked: boolean): Promise<Row<KeyRecord>> {
    const row = this.key(name);
    return this.update("key", row, { ...row.value, blocked });
  }

  /** A key by its text, hash or alias. @throws TollgateError `not_found` */
  key(name: string): Row<KeyRecord> {
    const row = this.directory.find("key", name.startsWith("sk-") ? this.options.hashKey(name) : name) ?? this.directory.all("key").find((one) => one.value.alias === name);
    if (row === undefined) throw new TollgateError("not_found", "The key is not known here; give its text, its hash or its alias.", { param: "key" });
    return row;
  }

  async createUser(body: Body): Promise<{ row: Row<RecordKinds["user"]>; warnings: string[] }> {
    const warnings = checkFields(body, [...ALLOWANCE_FIELDS, "user_id", "metadata"]);
    const now = this.options.clock.now();
    const userId = optionalText(body, "user_id") ?? this.options.ids.next(now);
    this.mustBeNew("user", userId, "user_id");
    return { row: await this.insert("user", { ...readAllowance(body, { ...NO_ALLOWANCE, createdAt: now }), userId }, now), warnings };
  }

  async createTeam(body: Body): Promise<{ row: Row<RecordKinds["team"]>; warnings: string[] }> {
    const warnings = checkFields(body, [...ALLOWANCE_FIELDS, "team_id", "team_alias", "metadata"]);
    const now = this.options.clock.now();
    const teamId = optionalText(body, "team_id") ?? this.options.ids.next(now);
    this.mustBeNew("team", teamId, "team_id");
    return { row: await this.insert("team", { ...readAllowance(body, { ...NO_ALLOWANCE, createdAt: now }), teamId, alias: optionalText(body, "team_alias") }, now), warnings };
  }

  async addMembers(body: Body): Promise<{ team: Row<RecordKinds["team"]>; members: Row<RecordKinds["member"]>[]; warnings: string[] }> {
    const warnings = checkFields(body, ["team_id", "member", "max_budget_in_team", "budget_duration", "rpm_limit", "tpm_limit"]);
    const team = this.find("team", requiredText(body, "team_id"), "team_id");
    const given = Array.isArray(body["member"]) ? body["member"] : [body["member"]];
    const now = this.options.clock.now();
    const allowance = readAllowance({ max_budget: body["max_budget_in_team"], budget_duration: body["budget_duration"], rpm_limit: body["rpm_limit"], tpm_limit: body["tpm_limit"] }, { ...NO_ALLOWANCE, createdAt: now });
    const members: Row<RecordKinds["member"]>[] = [];
    for (const member of given as unknown[]) {
      if (typeof member !== "object" || member === null) throw invalid("member", 'an object such as {"role": "user", "user_id": "ana"}');
      const userId = requiredText(member as Body, "user_id");
      const value = { ...allowance, teamId: team.value.teamId, userId };
      this.mustBeNew("member", memberName(value), "member");
      members.push({ id: this.options.ids.next(now), version: 1, value });
    }
    await this.options.store.change(members.map((row) => ({ kind: "member", id: row.id, expectedVersion: 0, document: JSON.stringify(row.value) })));
    for (const row of members) await this.takeIn("member", row);
    return { team, members, warnings };
  }

  async createCustomer(body: Body): Promise<{ row: Row<RecordKinds["customer"]>; warnings: string[] }> {
    const warnings = checkFields(body, [...ALLOWANCE_FIELDS, "user_id"]);
    const customerId = requiredText(body, "user_id");
    this.mustBeNew("customer", customerId, "user_id");
    const now = this.options.clock.now();
    return { row: await this.insert("customer", { ...readAllowance(body, { ...NO_ALLOWANCE, createdAt: now }), customerId }, now), warnings };
  }

  /** @throws TollgateError `not_found` */
  find<K extends Kind>(kind: K, name: string, param: string): Row<RecordKinds[K]> {
    const row = this.directory.find(kind, name);
    if (row === undefined) throw new TollgateError("not_found", `There is no ${kind} "${name}" here.`, { param });
    return row;
  }

  all<K extends Kind>(kind: K): readonly Row<RecordKinds[K]>[] {
    return this.directory.all(kind);
  }

  /** Settled in the current window of `budget_duration`, held, and settled for ever (GATE 6.5). */
  spend(kind: Kind, row: Row<RecordKinds[Kind]>): Spend {
    const window = this.directory.limits(kind, row).find((limit) => limit.measure === "nanoUsd" && limit.model === undefined)?.window ?? LIFETIME;
    return this.options.standing(this.directory.scopeOf(kind, row), row.value.budgetDuration === null ? LIFETIME : window);
  }

  private readKey(body: Body, before: KeyRecord): KeyRecord {
    const alias = body["key_alias"] === undefined ? before.alias : optionalText(body, "key_alias");
    const twin = alias === null ? undefined : this.directory.all("key").find((row) => row.value.alias === alias && row.value.hash !== before.hash);
    if (twin !== undefined) throw new TollgateError("already_exists", `The alias "${alias}" belongs to another key.`, { param: "key_alias" });
    const teamId = body["team_id"] === undefined ? before.teamId : optionalText(body, "team_id");
    if (teamId !== null) this.find("team", teamId, "team_id");
    const metadata = body["metadata"] ?? before.metadata;
    if (typeof metadata !== "object" || Array.isArray(metadata) || JSON.stringify(metadata).length > 16_384) throw invalid("metadata", "an object of 16 KB at most");
    return {
      ...before, ...readAllowance(body, before), alias, teamId,
      userId: body["user_id"] === undefined ? before.userId : optionalText(body, "user_id"),
      expiresAt: this.expiry(body["duration"], before.expiresAt),
      metadata: metadata as Record<string, unknown>,
      tags: body["tags"] === undefined || body["tags"] === null ? before.tags : texts(body["tags"], "tags"),
    };
  }

  private expiry(duration: unknown, before: number | null): number | null {
    if (duration === undefined) return before;
    if (duration === null || duration === "" || duration === "-1") return null;
    if (typeof duration !== "string") throw new TollgateError("invalid_duration", '"duration" must be text such as "30d".', { param: "duration" });
    return addLifetime(this.options.clock.now(), duration, { param: "duration" });
  }

  private mustBeNew(kind: Kind, name: string, param: string): void {
    if (this.directory.find(kind, name) !== undefined) throw new TollgateError("already_exists", `This ${kind} exists already. Update it, or choose another ${param}.`, { param });
  }

  private async insert<K extends Kind>(kind: K, value: RecordKinds[K], now: number): Promise<Row<RecordKinds[K]>> {
    const row = { id: this.options.ids.next(now), version: 1, value };
    await this.options.store.change([{ kind, id: row.id, expectedVersion: 0, document: JSON.stringify(value) }]);
    await this.takeIn(kind, row);
    return row;
  }

  private async update<K extends Kind>(kind: K, before: Row<RecordKinds[K]>, value: RecordKinds[K]): Promise<Row<RecordKinds[K]>> {
    await this.options.store.change([{ kind, id: before.id, expectedVersion: before.version, document: JSON.stringify(value) }]);
    const row = { id: before.id, version: before.version + 1, value };
    await this.takeIn(kind, row);
    return row;
  }

  /** Counters first, so that no request meets a limit without its history. */
  private async takeIn<K extends Kind>(kind: K, row: Row<RecordKinds[K]>): Promise<void> {
    await this.options.seed(this.directory.limits(kind, row as Row<RecordKinds[Kind]>));
    this.directory.set(kind, row);
  }
}
