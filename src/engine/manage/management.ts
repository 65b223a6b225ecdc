import type { Clock } from "../../base/clock.ts";
import { TollgateError } from "../../base/errors.ts";
import type { UlidSource } from "../../base/ids.ts";
import type { RecordChange } from "../../domain/ledger/store.ts";
import type { Limit } from "../../domain/limits/limit.ts";
import type { CustomerRecord, KeyRecord, LimitedRecord, MemberRecord, RecordKind, RecordKinds, TeamRecord, UserRecord } from "../../domain/scopes/records.ts";
import type { Scope } from "../../domain/scopes/scope.ts";
import { addLifetime, parseDuration } from "../../domain/windows/parse-duration.ts";
import { LIFETIME, type WindowSpec } from "../../domain/windows/window.ts";
import { memberName, scopeOf, type Directory, type Versioned } from "./directory.ts";
import { sortFields } from "./fields.ts";
import { amount, flag, invalid, readLimits, requiredText, text, texts, type Body } from "./read-fields.ts";

/** What a scope stands at, nano-dollars: settled in the window, held, settled for ever. */
export interface Standing {
  readonly spent: bigint;
  readonly held: bigint;
  readonly lifetime: bigint;
}

export interface ManagementPorts {
  readonly store: { change(changes: readonly RecordChange[]): Promise<void> };
  readonly directory: Directory;
  readonly ids: UlidSource;
  readonly clock: Clock;
  /** SHA-256 in lower-case hex. */
  hashKey(key: string): string;
  /** A new key, "sk-…". */
  randomKey(): string;
  standing(scope: Scope, window: WindowSpec): Standing;
  /** Gives new windows the history of their scopes (GATE 6.3). */
  seed(limits: readonly Limit[]): Promise<void>;
}

/** A record with what it stands at. `key` only when it was made by this call. */
export interface View<K extends RecordKind> {
  readonly record: RecordKinds[K];
  readonly standing: Standing;
  readonly warnings: readonly string[];
  readonly key?: string;
}

interface Write {
  readonly kind: RecordKind;
  readonly record: RecordKinds[RecordKind];
  readonly version: number;
}

/** The use cases of the control plane. A call returns once its change is stored, its windows have their history, and the gate applies it. */
export class Management {
  private readonly ports: ManagementPorts;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(ports: ManagementPorts) {
    this.ports = ports;
  }

  createKey(body: Body): Promise<View<"key">> {
    return this.inOrder(async () => {
      const { stored, warnings } = sortFields("key", body);
      const plain = text(body, "key") ?? this.ports.randomKey();
      if (!plain.startsWith("sk-") || plain.length < 16) throw invalid("key", 'must begin with "sk-" and have 16 characters at least');
      const writes: Write[] = [];
      const record = this.newKey(plain, body, stored, writes);
      await this.commit([...writes, { kind: "key", record, version: 0 }]);
      return { ...this.view("key", record, warnings), key: plain };
    });
  }

  /** @param body `key` is the key itself or its hash */
  updateKey(body: Body): Promise<View<"key">> {
    return this.inOrder(async () => {
      const { stored, warnings } = sortFields("key", body);
      const { record: before, version } = this.keyNamed(requiredText(body, "key"));
      const alias = "key_alias" in body ? text(body, "key_alias") : before.alias;
      if (alias !== undefined && alias !== before.alias) this.checkAlias(alias);
      const writes: Write[] = [];
      const record: KeyRecord = {
        ...before, ...readLimits(body), ...this.keyOwners(body, before, writes), alias, stored: { ...before.stored, ...stored }, updatedAt: this.ports.clock.now(),
        tags: "tags" in body ? texts(body, "tags") : before.tags,
        expiresAt: "duration" in body ? this.expiry(body) : before.expiresAt,
      };
      await this.commit([...writes, { kind: "key", record, version }]);
      return this.view("key", record, warnings);
    });
  }

  /** @returns the names as they were given */
  deleteKeys(body: Body): Promise<readonly string[]> {
    return this.inOrder(async () => {
      for (const field of Object.keys(body)) if (field !== "keys" && field !== "key_aliases") throw new TollgateError("unknown_field", `${JSON.stringify(field.slice(0, 40))} is not a known field. Use keys or key_aliases.`, { param: field.slice(0, 64) });
      const names = texts(body, "keys");
      const aliases = texts(body, "key_aliases");
      if (names.length + aliases.length === 0) throw invalid("keys", "must name one key at least");
      const found = new Map<string, Versioned<KeyRecord>>();
      for (const slot of [...names.map((name) => this.keyNamed(name)), ...aliases.map((alias) => this.keyAliased(alias))]) found.set(slot.record.id, slot);
      await this.ports.store.change([...found.values()].map(({ record, version }) => ({ kind: "key", id: record.id, expectedVersion: version, document: null })));
      for (const id of found.keys()) this.ports.directory.remove("key", id);
      return [...names, ...aliases];
    });
  }

  blockKey(body: Body, blocked: boolean): Promise<View<"key">> {
    return this.inOrder(async () => {
      const { record, version } = this.keyNamed(requiredText(body, "key"));
      const changed: KeyRecord = { ...record, blocked, updatedAt: this.ports.clock.now() };
      await this.commit([{ kind: "key", record: changed, version }]);
      return this.view("key", changed, []);
    });
  }

  keyInfo(name: string): View<"key"> {
    return this.view("key", this.keyNamed(name).record, []);
  }

  /** What a key may ask about itself. @throws TollgateError `forbidden` for any other key, whether it exists or not */
  ownKeyInfo(name: string, keyId: string | null): View<"key"> {
    const found = this.ports.directory.find("key", name.startsWith("sk-") ? this.ports.hashKey(name) : name);
    if (found === undefined || found.record.id !== keyId) throw new TollgateError("forbidden", "A key may only ask about itself.", { param: "key" });
    return this.view("key", found.record, []);
  }

  /** The hash of a key by its id. */
  tokenOf(keyId: string | null): string | undefined {
    return keyId === null ? undefined : this.ports.directory.get("key", keyId)?.record.tokenHash;
  }

  /** Newest first. */
  listKeys(filter: { readonly userId?: string | undefined; readonly teamId?: string | undefined; readonly alias?: string | undefined }): View<"key">[] {
    const views: View<"key">[] = [];
    for (const { record } of this.ports.directory.all("key")) {
      if (filter.userId !== undefined && record.userId !== filter.userId) continue;
      if (filter.teamId !== undefined && record.teamId !== filter.teamId) continue;
      if (filter.alias !== undefined && record.alias !== filter.alias) continue;
      views.push(this.view("key", record, []));
    }
    return views.sort((a, b) => (a.record.id < b.record.id ? 1 : -1));
  }

  /** Makes a user and, unless `auto_create_key` is false, a key of that user. */
  createUser(body: Body): Promise<View<"user">> {
    return this.inOrder(async () => {
      const { stored, warnings } = sortFields("user", body);
      const userId = text(body, "user_id") ?? this.newId();
      this.mustBeNew("user", userId, "user_id");
      const record: UserRecord = { ...this.base(body, stored), alias: text(body, "user_alias"), userId };
      const writes: Write[] = [{ kind: "user", record, version: 0 }];
      const plain = flag(body, "auto_create_key") === false ? undefined : this.ports.randomKey();
      if (plain !== undefined) writes.push({ kind: "key", record: { ...this.newKey(plain, {}, {}, []), userId }, version: 0 });
      await this.commit(writes);
      return { ...this.view("user", record, warnings), ...(plain === undefined ? {} : { key: plain }) };
    });
  }

  userInfo(userId: string): View<"user"> {
    return this.view("user", this.existing("user", userId, "user").record, []);
  }

  createTeam(body: Body): Promise<View<"team">> {
    return this.inOrder(async () => {
      const { stored, warnings } = sortFields("team", body);
      const teamId = text(body, "team_id") ?? this.newId();
      this.mustBeNew("team", teamId, "team_id");
      const record: TeamRecord = { ...this.base(body, stored), alias: text(body, "team_alias"), teamId };
      await this.commit([{ kind: "team", record, version: 0 }]);
      return this.view("team", record, warnings);
    });
  }

  teamInfo(teamId: string): View<"team"> {
    return this.view("team", this.existing("team", teamId, "team").record, []);
  }

  membersOf(teamId: string): View<"member">[] {
    return [...this.ports.directory.all("member")].filter(({ record }) => record.teamId === teamId).map(({ record }) => this.view("member", record, []));
  }

  /** @param body `{ team_id, member: { user_id, role } or a list of them, max_budget_in_team }` */
  addTeamMember(body: Body): Promise<View<"member">[]> {
    return this.inOrder(async () => {
      const { warnings } = sortFields("member", body);
      const { teamId } = this.existing("team", requiredText(body, "team_id"), "team").record;
      const given = Array.isArray(body["member"]) ? (body["member"] as unknown[]) : [body["member"]];
      const maxBudget = amount(body, "max_budget_in_team");
      const writes: Write[] = [];
      const members = given.map((one): MemberRecord => {
        if (typeof one !== "object" || one === null) throw invalid("member", "must be an object with user_id and role, or a list of them");
        const userId = requiredText(one as Body, "user_id");
        this.mustBeNew("member", memberName(teamId, userId), "member");
        this.userFor(userId, writes);
        return { ...this.base({}, {}), teamId, userId, role: text(one as Body, "role") ?? "user", maxBudget };
      });
      if (new Set(members.map((member) => member.userId)).size !== members.length) throw invalid("member", "must not name a user twice");
      await this.commit([...writes, ...members.map((record): Write => ({ kind: "member", record, version: 0 }))]);
      return members.map((record) => this.view("member", record, warnings));
    });
  }

  createCustomer(body: Body): Promise<View<"customer">> {
    return this.inOrder(async () => {
      const { stored, warnings } = sortFields("customer", body);
      const customerId = requiredText(body, "user_id");
      this.mustBeNew("customer", customerId, "user_id");
      const record: CustomerRecord = { ...this.base(body, stored), alias: text(body, "alias"), customerId };
      await this.commit([{ kind: "customer", record, version: 0 }]);
      return this.view("customer", record, warnings);
    });
  }

  customerInfo(customerId: string): View<"customer"> {
    return this.view("customer", this.existing("customer", customerId, "customer").record, []);
  }

  private newKey(plain: string, body: Body, stored: Record<string, unknown>, writes: Write[]): KeyRecord {
    const tokenHash = this.ports.hashKey(plain);
    this.mustBeNew("key", tokenHash, "key");
    const alias = text(body, "key_alias");
    if (alias !== undefined) this.checkAlias(alias);
    return {
      ...this.base(body, stored), alias, tokenHash, keyName: `sk-...${plain.slice(-4)}`, tags: texts(body, "tags"), expiresAt: this.expiry(body),
      ...this.keyOwners(body, undefined, writes),
    };
  }

  private keyOwners(body: Body, before: KeyRecord | undefined, writes: Write[]): Pick<KeyRecord, "userId" | "teamId"> {
    const teamId = "team_id" in body ? text(body, "team_id") : before?.teamId;
    const userId = "user_id" in body ? text(body, "user_id") : before?.userId;
    if (teamId !== undefined) this.existing("team", teamId, "team");
    if (userId !== undefined) this.userFor(userId, writes);
    return { userId, teamId };
  }

  /** A key may name a user that was never made: the user exists from then on, without limits. */
  private userFor(userId: string, writes: Write[]): void {
    if (this.ports.directory.find("user", userId) !== undefined) return;
    writes.push({ kind: "user", record: { ...this.base({}, {}), userId }, version: 0 });
  }

  private base(body: Body, stored: Record<string, unknown>): LimitedRecord {
    const now = this.ports.clock.now();
    return {
      id: this.newId(), budgetLimits: [], modelRpm: [], modelTpm: [], models: [], blocked: false, metadata: {}, ...readLimits(body), stored, createdAt: now, updatedAt: now,
    };
  }

  private expiry(body: Body): number | undefined {
    const lifetime = text(body, "duration");
    return lifetime === undefined || lifetime === "-1" ? undefined : addLifetime(this.ports.clock.now(), lifetime, { param: "duration" });
  }

  private newId(): string {
    return this.ports.ids.next(this.ports.clock.now());
  }

  private keyNamed(name: string): Versioned<KeyRecord> {
    const found = this.ports.directory.find("key", name.startsWith("sk-") ? this.ports.hashKey(name) : name);
    if (found === undefined) throw new TollgateError("not_found", "There is no such key. Name it by the key itself or by its token.", { param: "key" });
    return found;
  }

  private keyAliased(alias: string): Versioned<KeyRecord> {
    for (const slot of this.ports.directory.all("key")) if (slot.record.alias === alias) return slot;
    throw new TollgateError("not_found", `There is no key with the alias ${JSON.stringify(alias)}.`, { param: "key_aliases" });
  }

  private checkAlias(alias: string): void {
    for (const { record } of this.ports.directory.all("key")) {
      if (record.alias === alias) throw new TollgateError("already_exists", `A key with the alias ${JSON.stringify(alias)} exists. Aliases of keys are unique.`, { param: "key_alias" });
    }
  }

  private mustBeNew(kind: RecordKind, name: string, param: string): void {
    if (this.ports.directory.find(kind, name) !== undefined) throw new TollgateError("already_exists", `This ${kind} exists already.`, { param });
  }

  private existing<K extends RecordKind>(kind: K, name: string, words: string): Versioned<RecordKinds[K]> {
    const found = this.ports.directory.find(kind, name);
    if (found === undefined) throw new TollgateError("not_found", `There is no ${words} ${JSON.stringify(name)}. Make it with POST /${kind}/new.`, { param: kind === "team" ? "team_id" : "user_id" });
    return found;
  }

  /** Stores, gives new windows their history, and only then lets the gate see the change. */
  private async commit(writes: readonly Write[]): Promise<void> {
    const { store, directory } = this.ports;
    const limits = writes.flatMap(({ kind, record }) => directory.limitsOf(kind, record));
    await store.change(writes.map(({ kind, record, version }) => ({ kind, id: record.id, expectedVersion: version, document: JSON.stringify(record) })));
    await this.ports.seed(limits);
    for (const { kind, record, version } of writes) directory.put(kind, record, version + 1);
  }

  private view<K extends RecordKind>(kind: K, record: RecordKinds[K], warnings: readonly string[]): View<K> {
    const { timeZone, weekStart } = this.ports.directory.calendar;
    const window: WindowSpec = record.budgetDuration === undefined ? LIFETIME : { kind: "aligned", duration: parseDuration(record.budgetDuration), zone: timeZone, weekStart };
    return { record, standing: this.ports.standing(scopeOf(kind, record), window), warnings };
  }

  /** One change at a time: what one checked, no other may undo before it is stored. */
  private inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}
