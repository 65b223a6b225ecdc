import { TollgateError, type ErrorCode } from "../../base/errors.ts";
import type { NanoUsd } from "../../base/money.ts";
import type { StoredRecord } from "../../domain/ledger/store.ts";
import { limitsOf, type TokenRateLimitType } from "../../domain/limits/compile-limits.ts";
import type { ChargeSet, Limit } from "../../domain/limits/limit.ts";
import type { KeyRecord, LimitedRecord, RecordKind, RecordKinds } from "../../domain/scopes/records.ts";
import type { Scope, ScopeKind } from "../../domain/scopes/scope.ts";
import { parseDuration } from "../../domain/windows/parse-duration.ts";
import { LIFETIME, type WeekDay, type WindowSpec } from "../../domain/windows/window.ts";
import { allowsModel } from "./model-access.ts";

/** Who asks, compiled for the gate. */
export interface Identity {
  readonly isMaster: boolean;
  /** `null` for the master key. */
  readonly keyId: string | null;
  readonly key: KeyRecord | undefined;
  /** Wire ids. */
  readonly teamId: string | null;
  readonly userId: string | null;
  readonly memberId: string | null;
  /** Everything that is charged, and every limit that is not of one model. */
  readonly charges: ChargeSet;
  /** The limits of one model, `undefined` if it has none. */
  modelLimits(model: string): ChargeSet | undefined;
  /** @throws TollgateError `key_model_access_denied`, `team_model_access_denied`, `user_model_access_denied` */
  checkModel(model: string): void;
  /** From the key's metadata `customer_id`: whatever the request says, this customer pays. */
  readonly pinnedCustomer: string | undefined;
  readonly tags: readonly string[];
}

export interface DirectoryOptions {
  readonly global: ChargeSet;
  /** SHA-256 of the master key, lower-case hex. */
  readonly masterHash: string;
  readonly tokenRateLimitType: TokenRateLimitType;
  readonly timeZone: string;
  readonly weekStart: WeekDay;
  /** The lifetime budget of every customer that was not made; without it they are labels. */
  readonly maxEndUserBudgetNanoUsd?: NanoUsd | undefined;
  readonly customersPerMinute?: number | undefined;
}

export interface Versioned<R> {
  readonly record: R;
  readonly version: number;
}

interface KeySlot {
  readonly key: KeyRecord;
  identity: Identity | undefined;
  blockedBy: string | undefined;
  compiledAt: number;
}

/** New customers that one key may name in a minute, unless configured. */
const NEW_CUSTOMERS_PER_MINUTE = 100;
const REMEMBERED_CUSTOMERS = 100_000;

/** All records of the control plane in memory. Reading it costs one look-up; every change makes identities compile anew. */
export class Directory {
  private readonly options: DirectoryOptions;
  readonly master: Identity;
  private readonly tables: { readonly [K in RecordKind]: Map<string, Versioned<RecordKinds[K]>> } = {
    key: new Map(), team: new Map(), user: new Map(), member: new Map(), customer: new Map(),
  };
  /** From wire name to id, per kind. */
  private readonly names: { readonly [K in RecordKind]: Map<string, string> } = { key: new Map(), team: new Map(), user: new Map(), member: new Map(), customer: new Map() };
  private readonly slots = new Map<string, KeySlot>();
  private version = 0;
  private customers = new Map<string, ChargeSet>();
  private newCustomers = new Map<string, { minute: number; count: number }>();

  constructor(options: DirectoryOptions) {
    this.options = options;
    this.master = {
      isMaster: true, keyId: null, key: undefined, teamId: null, userId: null, memberId: null, charges: options.global,
      modelLimits: () => undefined, checkModel: () => {}, pinnedCustomer: undefined, tags: [],
    };
  }

  /** Takes the rows of the store at the start. */
  load(rows: readonly StoredRecord[]): void {
    for (const row of rows) {
      if (row.kind !== "setting") this.put(row.kind, JSON.parse(row.document) as RecordKinds[RecordKind], row.version);
    }
  }

  put<K extends RecordKind>(kind: K, record: RecordKinds[K], version: number): void {
    const before = this.tables[kind].get(record.id);
    if (before !== undefined) {
      this.names[kind].delete(nameOf(before.record));
      if ("tokenHash" in before.record) this.slots.delete(before.record.tokenHash);
    }
    this.tables[kind].set(record.id, { record, version });
    this.names[kind].set(nameOf(record), record.id);
    if ("tokenHash" in record) this.slots.set(record.tokenHash, { key: record, identity: undefined, blockedBy: undefined, compiledAt: -1 });
    this.changed(kind);
  }

  remove(kind: RecordKind, id: string): void {
    const known = this.tables[kind].get(id);
    if (known === undefined) return;
    this.tables[kind].delete(id);
    this.names[kind].delete(nameOf(known.record));
    if ("tokenHash" in known.record) this.slots.delete(known.record.tokenHash);
    this.changed(kind);
  }

  /** By wire name: a key's hash, a team's, user's or customer's id, `memberName(…)` of a member. */
  find<K extends RecordKind>(kind: K, name: string): Versioned<RecordKinds[K]> | undefined {
    const id = this.names[kind].get(name);
    return id === undefined ? undefined : this.tables[kind].get(id);
  }

  /** By our own id. */
  get<K extends RecordKind>(kind: K, id: string): Versioned<RecordKinds[K]> | undefined {
    return this.tables[kind].get(id);
  }

  all<K extends RecordKind>(kind: K): IterableIterator<Versioned<RecordKinds[K]>> {
    return this.tables[kind].values();
  }

  /**
   * @param hash SHA-256 of the key that was sent, lower-case hex
   * @param now epoch milliseconds
   * @throws TollgateError `invalid_key`, `key_expired`, `key_blocked`
   */
  identify(hash: string, now: number): Identity {
    if (hash === this.options.masterHash) return this.master;
    const slot = this.slots.get(hash);
    if (slot === undefined) throw new TollgateError("invalid_key", "Authentication Error, this API key is not known here. Make one with POST /key/generate.");
    if (slot.identity === undefined || slot.compiledAt !== this.version) this.compile(slot);
    if (slot.blockedBy !== undefined) throw new TollgateError("key_blocked", `Authentication Error, the ${slot.blockedBy} is blocked. An admin can unblock it.`);
    const { expiresAt } = slot.key;
    if (expiresAt !== undefined && expiresAt <= now) {
      throw new TollgateError("key_expired", `Authentication Error, the API key expired at ${new Date(expiresAt).toISOString()}. An admin can give it a new duration with POST /key/update.`);
    }
    return slot.identity as Identity;
  }

  /**
   * The charges of a customer with a budget; `undefined` if the name is only a label (GATE 10.1).
   * @throws TollgateError `key_blocked`, `too_many_new_customers`
   */
  customer(name: string, keyId: string | null, now: number): ChargeSet | undefined {
    const made = this.find("customer", name)?.record;
    if (made?.blocked === true) throw new TollgateError("key_blocked", `The customer ${JSON.stringify(name)} is blocked. An admin can unblock it.`);
    const known = this.customers.get(name);
    if (known !== undefined) return known;
    const { maxEndUserBudgetNanoUsd } = this.options;
    if (made === undefined && maxEndUserBudgetNanoUsd === undefined) return undefined;
    if (made === undefined) this.countNewCustomer(keyId ?? "", now);
    // A name that was not made is written so that it cannot hold the separators of counters and entries.
    const scope: Scope = made === undefined ? { kind: "customer", id: unmadeId(name), label: name } : { kind: "customer", id: made.id, label: name };
    const ownBudget = made !== undefined && (made.maxBudget !== undefined || made.budgetLimits.length > 0);
    const limits = [
      ...(made === undefined ? [] : this.limitsOf("customer", made)),
      ...(ownBudget || maxEndUserBudgetNanoUsd === undefined ? [] : limitsOf({ scope, maxBudgetNanoUsd: maxEndUserBudgetNanoUsd, ...this.policy() })),
    ];
    const charges: ChargeSet = { scopes: [scope], limits };
    if (this.customers.size >= REMEMBERED_CUSTOMERS) this.customers = new Map();
    this.customers.set(name, charges);
    return charges;
  }

  /** The id under which a customer that nobody made has spent, where every customer has a budget. */
  unmadeCustomerId(name: string): string | undefined {
    return this.options.maxEndUserBudgetNanoUsd === undefined ? undefined : unmadeId(name);
  }

  /** The limits of one record, those of single models left out. @throws TollgateError `invalid_duration` */
  limitsOf(kind: RecordKind, record: LimitedRecord): Limit[] {
    const scope = scopeOf(kind, record);
    const policy = this.policy();
    const limits = limitsOf({
      scope, ...policy, rpm: record.rpm, tpm: record.tpm, maxParallelRequests: record.maxParallelRequests, budgetDuration: record.budgetDuration,
      maxBudgetNanoUsd: nano(record.maxBudget), softBudgetNanoUsd: nano(record.softBudget),
    });
    for (const budget of record.budgetLimits) limits.push(...limitsOf({ scope, ...policy, maxBudgetNanoUsd: nano(budget.maxBudget), budgetDuration: budget.budgetDuration }));
    return limits;
  }

  /** The limits of a record that count one model each. @throws TollgateError `invalid_duration` */
  modelLimitsOf(kind: RecordKind, record: LimitedRecord): Limit[] {
    const scope = scopeOf(kind, record);
    const policy = this.policy();
    return [
      ...record.modelRpm.flatMap(([model, rpm]) => limitsOf({ scope, model, rpm, ...policy })),
      ...record.modelTpm.flatMap(([model, tpm]) => limitsOf({ scope, model, tpm, ...policy })),
      ...(record.modelBudgets ?? []).flatMap(({ model, maxBudget, budgetDuration, rpm, tpm }) => limitsOf({ scope, model, maxBudgetNanoUsd: nano(maxBudget), budgetDuration, rpm, tpm, ...policy })),
    ];
  }

  /** The window in which a record's spend is told: that of its own budget (GATE 6.5). */
  private windowOf(record: LimitedRecord): WindowSpec {
    const { timeZone, weekStart } = this.options;
    return record.budgetDuration === undefined ? LIFETIME : { kind: "aligned", duration: parseDuration(record.budgetDuration), zone: timeZone, weekStart };
  }

  private policy() {
    const { tokenRateLimitType, timeZone, weekStart } = this.options;
    return { tokenRateLimitType, timeZone, weekStart };
  }

  /** The zone and week start that windows of this gateway have. */
  get calendar(): { readonly timeZone: string; readonly weekStart: WeekDay } {
    return this.options;
  }

  private compile(slot: KeySlot): void {
    const { key } = slot;
    const team = key.teamId === undefined ? undefined : this.find("team", key.teamId)?.record;
    const user = key.userId === undefined ? undefined : this.find("user", key.userId)?.record;
    const member = key.teamId === undefined || key.userId === undefined ? undefined : this.find("member", memberName(key.teamId, key.userId))?.record;
    slot.blockedBy = key.blocked ? "API key" : team?.blocked === true ? "team of the API key" : user?.blocked === true ? "user of the API key" : member?.blocked === true ? "member of the API key" : undefined;
    // A team that is gone must not turn its keys into keys without a team's limits.
    if (key.teamId !== undefined && team === undefined) slot.blockedBy = "team of the API key is deleted and thereby the key";
    const { global } = this.options;
    const scopes: Scope[] = [...global.scopes];
    const limits: Limit[] = [...global.limits];
    const byModel = new Map<string, Limit[]>();
    const charge = (kind: RecordKind, record: LimitedRecord | undefined): void => {
      if (record === undefined) return;
      scopes.push(scopeOf(kind, record));
      limits.push(...this.limitsOf(kind, record));
      for (const limit of this.modelLimitsOf(kind, record)) {
        const model = limit.model as string;
        const known = byModel.get(model);
        if (known === undefined) byModel.set(model, [limit]);
        else known.push(limit);
      }
    };
    charge("team", team);
    charge("member", member);
    charge("key", key);
    if (team === undefined) charge("user", user);
    // A team pays for its keys, but how fast one person sends stays that person's limit.
    else if (user !== undefined) limits.push(...this.limitsOf("user", user).filter((limit) => limit.measure !== "nanoUsd"));
    const charged = new Map([...byModel].map(([model, modelLimits]): [string, ChargeSet] => [model, { scopes: [], limits: modelLimits }]));
    const pinned = key.metadata["customer_id"];
    slot.identity = {
      isMaster: false, keyId: key.id, key, teamId: key.teamId ?? null, userId: key.userId ?? null, memberId: member?.id ?? null, charges: { scopes, limits, payer: { scope: scopeOf("key", key), window: this.windowOf(key) } },
      modelLimits: (model) => charged.get(model),
      checkModel: (model) => {
        // "all-team-models" on a key leaves the decision to its team.
        const teamDecides = team !== undefined && key.models.includes("all-team-models");
        if (!teamDecides && !allowsModel(key.models, model)) throw denied("key", "API key", model, key.models);
        if (team !== undefined && !allowsModel(team.models, model)) throw denied("team", "team", model, team.models);
        if (team === undefined && user !== undefined && !allowsModel(user.models, model)) throw denied("user", "user", model, user.models);
      },
      pinnedCustomer: typeof pinned === "string" && pinned !== "" ? pinned : undefined,
      tags: key.tags,
    };
    slot.compiledAt = this.version;
  }

  private countNewCustomer(keyId: string, now: number): void {
    const minute = Math.floor(now / 60_000);
    const known = this.newCustomers.get(keyId);
    if (known === undefined || known.minute !== minute) {
      this.newCustomers.set(keyId, { minute, count: 1 });
      return;
    }
    const most = this.options.customersPerMinute ?? NEW_CUSTOMERS_PER_MINUTE;
    if (known.count >= most) {
      throw new TollgateError("too_many_new_customers", `This API key named more than ${most} new customers within a minute. Wait, or make them with POST /customer/new.`, { param: "user" });
    }
    known.count += 1;
  }

  private changed(kind: RecordKind): void {
    if (kind === "customer") this.customers = new Map();
    else this.version += 1;
  }
}

/** Ours have no tilde: no name from outside can take one of them. */
function unmadeId(name: string): string {
  return `~${encodeURIComponent(name.toWellFormed())}`;
}

/** A member's name: team and user, each written so that they cannot run together. */
export function memberName(teamId: string, userId: string): string {
  return JSON.stringify([teamId, userId]);
}

export function scopeOf(kind: RecordKind, record: LimitedRecord): Scope {
  return { kind: kind satisfies ScopeKind, id: record.id, label: record.alias ?? labelOf(record) };
}

function labelOf(record: LimitedRecord): string {
  if ("tokenHash" in record) return (record as KeyRecord).keyName;
  return "role" in record ? (record as RecordKinds["member"]).userId : nameOf(record as RecordKinds["team" | "user" | "customer"]);
}

function nameOf(record: RecordKinds[RecordKind]): string {
  if ("tokenHash" in record) return record.tokenHash;
  if ("customerId" in record) return record.customerId;
  if ("role" in record) return memberName(record.teamId, record.userId);
  return "teamId" in record ? record.teamId : record.userId;
}

function nano(text: string | undefined): NanoUsd | undefined {
  return text === undefined ? undefined : BigInt(text);
}

function denied(kind: "key" | "team" | "user", words: string, model: string, models: readonly string[]): TollgateError {
  return new TollgateError(`${kind}_model_access_denied` satisfies ErrorCode, `The model ${JSON.stringify(model)} is not available for this ${words}. It may use: ${models.slice(0, 20).join(", ")}.`, { param: "model" });
}
