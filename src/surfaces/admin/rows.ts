import type { LimitedRecord, RecordKind } from "../../domain/scopes/records.ts";
import type { View } from "../../engine/manage/management.ts";

/** What is the same in every row under LiteLLM's names. A `bigint` becomes an exact decimal number. */
function shared(record: LimitedRecord, view: View<RecordKind>): Record<string, unknown> {
  return {
    ...record.stored,
    spend: view.standing.spent,
    max_budget: money(record.maxBudget),
    soft_budget: money(record.softBudget),
    budget_duration: record.budgetDuration ?? null,
    budget_reset_at: view.resetsAt === undefined ? null : time(view.resetsAt),
    budget_limits: record.budgetLimits.map((budget) => ({ budget_duration: budget.budgetDuration, max_budget: money(budget.maxBudget) })),
    rpm_limit: record.rpm ?? null,
    tpm_limit: record.tpm ?? null,
    max_parallel_requests: record.maxParallelRequests ?? null,
    model_rpm_limit: Object.fromEntries(record.modelRpm),
    model_tpm_limit: Object.fromEntries(record.modelTpm),
    model_max_budget: Object.fromEntries((record.modelBudgets ?? []).map(({ model, maxBudget, budgetDuration, rpm, tpm }) => [
      model, { max_budget: money(maxBudget), budget_duration: budgetDuration ?? null, ...(rpm === undefined ? {} : { rpm_limit: rpm }), ...(tpm === undefined ? {} : { tpm_limit: tpm }) },
    ])),
    models: record.models,
    blocked: record.blocked,
    metadata: record.metadata,
    created_at: time(record.createdAt),
    updated_at: time(record.updatedAt),
    tollgate: { id: record.id, warnings: view.warnings, held: view.standing.held, lifetime_spend: view.standing.lifetime },
  };
}

export function keyRow(view: View<"key">): Record<string, unknown> {
  const { record } = view;
  return {
    ...(view.key === undefined ? {} : { key: view.key }),
    token: record.tokenHash, token_id: record.tokenHash, key_name: record.keyName, key_alias: record.alias ?? null,
    user_id: record.userId ?? null, team_id: record.teamId ?? null, tags: record.tags,
    expires: record.expiresAt === undefined ? null : time(record.expiresAt),
    ...shared(record, view),
  };
}

export function userRow(view: View<"user">): Record<string, unknown> {
  return { user_id: view.record.userId, user_alias: view.record.alias ?? null, ...shared(view.record, view), ...(view.key === undefined ? {} : { key: view.key }) };
}

export function teamRow(view: View<"team">, members: readonly View<"member">[]): Record<string, unknown> {
  return {
    team_id: view.record.teamId, team_alias: view.record.alias ?? null,
    members_with_roles: members.map(({ record }) => ({ user_id: record.userId, role: record.role })),
    ...shared(view.record, view),
  };
}

export function memberRow(view: View<"member">): Record<string, unknown> {
  return { team_id: view.record.teamId, user_id: view.record.userId, max_budget_in_team: money(view.record.maxBudget), role: view.record.role, ...shared(view.record, view) };
}

export function customerRow(view: View<"customer">): Record<string, unknown> {
  return { user_id: view.record.customerId, alias: view.record.alias ?? null, ...shared(view.record, view) };
}

function money(nano: string | undefined): bigint | null {
  return nano === undefined ? null : BigInt(nano);
}

function time(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
