/** What keys, teams, members, users and customers have in common. Nano-dollars are decimal text, times epoch milliseconds. */
export interface LimitedRecord {
  /** Our own ULID, the identity of the scope; never reused (GATE 1.6). */
  readonly id: string;
  readonly alias?: string | undefined;
  readonly maxBudget?: string | undefined;
  readonly softBudget?: string | undefined;
  readonly budgetDuration?: string | undefined;
  /** Further budgets, each with its own window. */
  readonly budgetLimits: readonly BudgetLimit[];
  readonly rpm?: number | undefined;
  readonly tpm?: number | undefined;
  readonly maxParallelRequests?: number | undefined;
  /** Pairs, not an object: model names come from outside. */
  readonly modelRpm: readonly ModelNumber[];
  readonly modelTpm: readonly ModelNumber[];
  /** Budgets and rates of single models; absent in records that were written before there were any. */
  readonly modelBudgets?: readonly ModelBudget[] | undefined;
  /** Empty: every model. */
  readonly models: readonly string[];
  readonly blocked: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Known LiteLLM fields that have no function here, returned as they came. */
  readonly stored: Readonly<Record<string, unknown>>;
  /** The last `spend` that was set by hand: stored with the record, so that a crash before its adjustment loses nothing. */
  readonly preset?: PresetSpend | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface PresetSpend {
  /** Of the adjustment, a ULID. */
  readonly id: string;
  /** Of the window that it sets; absent: for ever. */
  readonly budgetDuration?: string | undefined;
  readonly by: string;
}

export interface BudgetLimit {
  readonly maxBudget: string;
  readonly budgetDuration: string;
}

export interface ModelBudget {
  readonly model: string;
  readonly maxBudget?: string | undefined;
  readonly budgetDuration?: string | undefined;
  readonly rpm?: number | undefined;
  readonly tpm?: number | undefined;
}

export type ModelNumber = readonly [model: string, perMinute: number];

export interface KeyRecord extends LimitedRecord {
  /** SHA-256 of the key, lower-case hex. The key itself is never kept. */
  readonly tokenHash: string;
  /** Masked, for people. */
  readonly keyName: string;
  /** Wire ids, as clients know them. */
  readonly userId?: string | undefined;
  readonly teamId?: string | undefined;
  readonly tags: readonly string[];
  readonly expiresAt?: number | undefined;
}

export interface TeamRecord extends LimitedRecord {
  readonly teamId: string;
}

export interface UserRecord extends LimitedRecord {
  readonly userId: string;
}

export interface MemberRecord extends LimitedRecord {
  readonly teamId: string;
  readonly userId: string;
  readonly role: string;
}

export interface CustomerRecord extends LimitedRecord {
  readonly customerId: string;
}

export interface RecordKinds {
  readonly key: KeyRecord;
  readonly team: TeamRecord;
  readonly user: UserRecord;
  readonly member: MemberRecord;
  readonly customer: CustomerRecord;
}

export type RecordKind = keyof RecordKinds;
