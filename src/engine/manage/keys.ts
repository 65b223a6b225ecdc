import { TollgateError } from "../../base/errors.ts";
import type { KeyRecord } from "../../domain/scopes/records.ts";
import { addLifetime } from "../../domain/windows/parse-duration.ts";
import type { Versioned } from "./directory.ts";
import { onlyFields, sortFields } from "./fields.ts";
import { invalid, readLimits, requiredText, text, texts, type Body } from "./read-fields.ts";
import { newestFirst, type Records, type View, type Write } from "./records.ts";
import { presetSpend, type Spend } from "./spend.ts";

/** Virtual keys. */
export class Keys {
  private readonly records: Records;
  private readonly spend: Spend;

  constructor(records: Records, spend: Spend) {
    this.records = records;
    this.spend = spend;
  }

  create(body: Body): Promise<View<"key">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("key", body);
      const spend = presetSpend(body);
      const plain = text(body, "key") ?? this.records.ports.randomKey();
      checkPlain(plain, "key");
      const writes: Write[] = [];
      const record = this.newRecord(plain, body, stored, writes);
      await this.records.commit([...writes, { kind: "key", record, version: 0, spend }]);
      return { ...this.records.view("key", record, warnings), key: plain };
    });
  }

  /** @param body `key` is the key itself or its hash */
  update(body: Body): Promise<View<"key">> {
    return this.records.inOrder(() => this.change(this.named(requiredText(body, "key")), body, {}));
  }

  /**
   * Gives a key a new secret, and the changes of an update with it. Its spend and its budgets stay; the old secret ends at once.
   * @param body `new_key` if the secret is not to be a random one
   */
  regenerate(name: string, body: Body): Promise<View<"key">> {
    return this.records.inOrder(async () => {
      const slot = this.named(name);
      const { new_key: _secret, ...changes } = body;
      const plain = text(body, "new_key") ?? this.records.ports.randomKey();
      checkPlain(plain, "new_key");
      const tokenHash = this.records.ports.hashKey(plain);
      this.records.mustBeNew("key", tokenHash, "new_key");
      const view = await this.change(slot, changes, { tokenHash, keyName: masked(plain) });
      return { ...view, key: plain };
    });
  }

  /** @returns the names as they were given */
  delete(body: Body): Promise<readonly string[]> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["keys", "key_aliases"]);
      const names = texts(body, "keys");
      const aliases = texts(body, "key_aliases");
      if (names.length + aliases.length === 0) throw invalid("keys", "must name one key at least");
      const found = new Map<string, Versioned<KeyRecord>>();
      for (const slot of [...names.map((name) => this.named(name)), ...aliases.map((alias) => this.aliased(alias))]) found.set(slot.record.id, slot);
      await this.records.commit([], [...found.values()].map(({ record, version }) => ({ kind: "key", id: record.id, version })));
      return [...names, ...aliases];
    });
  }

  block(body: Body, blocked: boolean): Promise<View<"key">> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["key"]);
      const { record, version } = this.named(requiredText(body, "key"));
      const changed: KeyRecord = { ...record, blocked, updatedAt: this.records.now() };
      await this.records.commit([{ kind: "key", record: changed, version }]);
      return this.records.view("key", changed);
    });
  }

  /** @param body `{ reset_to }` */
  resetSpend(name: string, body: Body): ReturnType<typeof this.spend.reset<"key">> {
    return this.spend.reset("key", () => this.named(name), body);
  }

  info(name: string): View<"key"> {
    return this.records.view("key", this.named(name).record);
  }

  /** What a key may ask about itself. @throws TollgateError `forbidden` for any other key, whether it exists or not */
  ownInfo(name: string, keyId: string | null): View<"key"> {
    const found = this.records.directory.find("key", this.hashOf(name));
    if (found === undefined || found.record.id !== keyId) throw new TollgateError("forbidden", "A key may only ask about itself.", { param: "key" });
    return this.records.view("key", found.record);
  }

  /** The hash of a key by its id. */
  tokenOf(keyId: string | null): string | undefined {
    return keyId === null ? undefined : this.records.directory.get("key", keyId)?.record.tokenHash;
  }

  /** Newest first. */
  list(filter: { readonly userId?: string | undefined; readonly teamId?: string | undefined; readonly alias?: string | undefined }): View<"key">[] {
    const views: View<"key">[] = [];
    for (const { record } of this.records.directory.all("key")) {
      if (filter.userId !== undefined && record.userId !== filter.userId) continue;
      if (filter.teamId !== undefined && record.teamId !== filter.teamId) continue;
      if (filter.alias !== undefined && record.alias !== filter.alias) continue;
      views.push(this.records.view("key", record));
    }
    return newestFirst(views);
  }

  /** A key by itself or by its hash. @throws TollgateError `not_found` */
  named(name: string): Versioned<KeyRecord> {
    const found = this.records.directory.find("key", this.hashOf(name));
    if (found === undefined) throw new TollgateError("not_found", "There is no such key. Name it by the key itself or by its token.", { param: "key" });
    return found;
  }

  /** The record of a key that is about to be made. @param writes users that come to be with it */
  newRecord(plain: string, body: Body, stored: Record<string, unknown>, writes: Write[]): KeyRecord {
    const tokenHash = this.records.ports.hashKey(plain);
    this.records.mustBeNew("key", tokenHash, "key");
    const alias = text(body, "key_alias");
    if (alias !== undefined) this.checkAlias(alias);
    return {
      ...this.records.base(body, stored), alias, tokenHash, keyName: masked(plain), tags: texts(body, "tags"), expiresAt: this.expiry(body),
      ...this.owners(body, undefined, writes),
    };
  }

  private async change({ record: before, version }: Versioned<KeyRecord>, body: Body, secret: Partial<KeyRecord>): Promise<View<"key">> {
    const { stored, warnings } = sortFields("key", body);
    const spend = presetSpend(body);
    const alias = "key_alias" in body ? text(body, "key_alias") : before.alias;
    if (alias !== undefined && alias !== before.alias) this.checkAlias(alias);
    const writes: Write[] = [];
    const record: KeyRecord = {
      ...before, ...readLimits(body), ...this.owners(body, before, writes), alias, stored: { ...before.stored, ...stored }, updatedAt: this.records.now(),
      tags: "tags" in body ? texts(body, "tags") : before.tags,
      expiresAt: "duration" in body ? this.expiry(body) : before.expiresAt,
      ...secret,
    };
    await this.records.commit([...writes, { kind: "key", record, version, spend }]);
    return this.records.view("key", record, warnings);
  }

  private owners(body: Body, before: KeyRecord | undefined, writes: Write[]): Pick<KeyRecord, "userId" | "teamId"> {
    const teamId = "team_id" in body ? text(body, "team_id") : before?.teamId;
    const userId = "user_id" in body ? text(body, "user_id") : before?.userId;
    if (teamId !== undefined) this.records.existing("team", teamId);
    if (userId !== undefined) this.records.userFor(userId, writes);
    return { userId, teamId };
  }

  private expiry(body: Body): number | undefined {
    const lifetime = text(body, "duration");
    return lifetime === undefined || lifetime === "-1" ? undefined : addLifetime(this.records.now(), lifetime, { param: "duration" });
  }

  private hashOf(name: string): string {
    return name.startsWith("sk-") ? this.records.ports.hashKey(name) : name;
  }

  private aliased(alias: string): Versioned<KeyRecord> {
    for (const slot of this.records.directory.all("key")) if (slot.record.alias === alias) return slot;
    throw new TollgateError("not_found", `There is no key with the alias ${JSON.stringify(alias)}.`, { param: "key_aliases" });
  }

  private checkAlias(alias: string): void {
    for (const { record } of this.records.directory.all("key")) {
      if (record.alias === alias) throw new TollgateError("already_exists", `A key with the alias ${JSON.stringify(alias)} exists. Aliases of keys are unique.`, { param: "key_alias" });
    }
  }
}

function checkPlain(plain: string, field: string): void {
  if (!plain.startsWith("sk-") || plain.length < 16) throw invalid(field, 'must begin with "sk-" and have 16 characters at least');
}

function masked(plain: string): string {
  return `sk-...${plain.slice(-4)}`;
}
