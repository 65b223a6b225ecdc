import type { Limit } from "../../domain/limits/limit.ts";

/** Budgets and limits that keys, teams, members, users and customers have alike. Amounts are nano-dollars as decimal text. */
export interface Allowance {
  readonly maxBudget: string | null;
  readonly softBudget: string | null;
  readonly budgetDuration: string | null;
  readonly budgetLimits: readonly { readonly budgetDuration: string; readonly maxBudget: string }[];
  readonly rpmLimit: number | null;
  readonly tpmLimit: number | null;
  readonly maxParallelRequests: number | null;
  readonly modelRpmLimit: Readonly<Record<string, number>>;
  readonly modelTpmLimit: Readonly<Record<string, number>>;
  readonly models: readonly string[];
  readonly blocked: boolean;
  readonly createdAt: number;
}

export interface KeyRecord extends Allowance {
  readonly hash: string;
  readonly name: string;
  readonly alias: string | null;
  readonly teamId: string | null;
  readonly userId: string | null;
  readonly expiresAt: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
}

export interface TeamRecord extends Allowance {
  readonly teamId: string;
  readonly alias: string | null;
}

export interface MemberRecord extends Allowance {
  readonly teamId: string;
  readonly userId: string;
}

export interface UserRecord extends Allowance {
  readonly userId: string;
}

export interface CustomerRecord extends Allowance {
  readonly customerId: string;
}

export interface RecordKinds {
  key: KeyRecord;
  team: TeamRecord;
  member: MemberRecord;
  user: UserRecord;
  customer: CustomerRecord;
}

/** A record with its ULID and version. */
export interface Row<T> {
  readonly id: string;
  readonly version: number;
  readonly value: T;
}

/** Turns an allowance into limits of a scope. */
export type LimitCompiler = (scope: Limit["scope"], allowance: Allowance) => { readonly all: readonly Limit[]; byModel(model: string): readonly Limit[] };
