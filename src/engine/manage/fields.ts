import { TollgateError } from "../../base/errors.ts";
import { nearestName } from "../../base/nearest.ts";
import type { RecordKind } from "../../domain/scopes/records.ts";

const LIMITS = ["spend", "max_budget", "soft_budget", "budget_duration", "budget_limits", "rpm_limit", "tpm_limit", "max_parallel_requests", "model_rpm_limit", "model_tpm_limit", "model_max_budget", "models", "blocked", "metadata"];

/** Fields that do what they say. */
const USED: Readonly<Record<RecordKind, readonly string[]>> = {
  key: [...LIMITS, "key", "key_alias", "duration", "user_id", "team_id", "tags"],
  team: [...LIMITS, "team_id", "team_alias", "members_with_roles"],
  user: [...LIMITS, "user_id", "user_alias", "auto_create_key"],
  member: ["team_id", "user_id", "role", "max_budget_in_team", "budget_duration", "rpm_limit", "tpm_limit"],
  customer: [...LIMITS.filter((field) => field !== "models" && !field.startsWith("model_")), "user_id", "alias"],
};

/** Known, without a function here: kept, returned and told in `tollgate.warnings`. */
const STORED = new Set([
  "aliases", "config", "guardrails", "policies", "prompts", "send_invite_email", "user_email", "user_role", "teams", "sso_user_id", "model_aliases", "key_type",
  "auto_rotate", "rotation_interval", "router_settings", "admins", "default_model", "secret_manager_settings", "team_member_key_duration",
]);

/** Keys that call models, as all of ours do and do nothing else; other types are access that is not given here. */
const CALLING_KEY_TYPES: ReadonlySet<unknown> = new Set(["default", "llm_api"]);

/** They limit money or access: to store them would promise what is not kept. */
const UNSUPPORTED = new Set([
  "budget_id", "model_max_budget", "permissions", "allowed_cache_controls", "object_permission", "organization_id", "organizations", "project_id", "agent_id",
  "enforced_params", "allowed_routes", "allowed_passthrough_routes", "allowed_vector_store_indexes", "rpm_limit_type", "tpm_limit_type", "access_group_ids",
  "temp_budget_increase", "temp_budget_expiry", "budget_fallbacks", "throttle_on_budget_exceeded", "team_member_budget", "team_member_budget_duration",
  "team_member_rpm_limit", "team_member_tpm_limit", "team_member_permissions", "members", "default_team_member_models", "budget_reset_at", "allowed_model_region", "grace_period", "new_master_key",
]);

/**
 * Sorts the members of a body.
 * @returns what is kept without a function, and the warnings that say so
 * @throws TollgateError `unknown_field`, `unsupported_field`
 */
export function sortFields(kind: RecordKind, body: Readonly<Record<string, unknown>>): { stored: Record<string, unknown>; warnings: string[] } {
  const stored: Record<string, unknown> = {};
  const warnings: string[] = [];
  const used = USED[kind];
  for (const [field, value] of Object.entries(body)) {
    if (used.includes(field)) continue;
    if (UNSUPPORTED.has(field) || (field === "key_type" && !CALLING_KEY_TYPES.has(value))) {
      if (isEmpty(value)) continue;
      throw new TollgateError("unsupported_field", `${field} limits money or access and has no function yet, so it is not accepted. Leave it out.`, { param: field });
    }
    if (!STORED.has(field)) {
      const near = nearestName(field, [...used, ...STORED]);
      throw new TollgateError("unknown_field", `${shown(field)} is not a known field.${near === undefined ? "" : ` Did you mean ${near}?`}`, { param: field.slice(0, 64) });
    }
    stored[field] = value;
    if (!isEmpty(value)) warnings.push(`${field} is stored, but has no function yet.`);
  }
  return { stored, warnings };
}

/** For calls that know no more than their few fields. @throws TollgateError `unknown_field` */
export function onlyFields(body: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const field of Object.keys(body)) {
    if (!known.includes(field)) throw new TollgateError("unknown_field", `${shown(field)} is not a known field. ${known.length === 0 ? "Send an empty object." : `Use ${known.join(" or ")}.`}`, { param: field.slice(0, 64) });
  }
}

/** What clients send for "nothing": it limits nothing. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function shown(field: string): string {
  return JSON.stringify(field.length > 40 ? `${field.slice(0, 40)}…` : field);
}
