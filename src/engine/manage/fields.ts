import { TollgateError } from "../../base/errors.ts";

/** Known LiteLLM fields without a function yet: stored nowhere, named in `tollgate.warnings` (GATE 10.5). */
export const IDLE_FIELDS = new Set(["aliases", "config", "permissions", "allowed_cache_controls", "guardrails", "policies", "prompts", "send_invite_email", "user_email", "user_role", "auto_create_key", "logging", "router_settings", "key_type", "members", "admins", "default_model", "allowed_model_region", "alias", "object_permission"]);

/** Known LiteLLM fields that limit money or access and are not built: refused, because storing them would promise what is not kept. */
export const REFUSED_FIELDS = new Set(["model_max_budget", "organization_id", "budget_id", "allowed_routes", "enforced_params", "allowed_ips", "temp_budget_increase", "temp_budget_expiry", "budget_fallbacks", "throttle_on_budget_exceeded", "team_member_budget", "team_member_rpm_limit", "team_member_tpm_limit", "project_id", "auto_rotate", "rpm_limit_type", "tpm_limit_type", "max_budget_in_organization", "spend", "access_group_ids", "allowed_passthrough_routes"]);

/** Splits a body's members into those a route reads and warnings. @throws TollgateError `unsupported_field`, `unknown_field` */
export function checkFields(body: Readonly<Record<string, unknown>>, read: readonly string[]): string[] {
  const warnings: string[] = [];
  const known = new Set(read);
  for (const name of Object.keys(body)) {
    if (known.has(name)) continue;
    const value = body[name];
    // Clients send empty defaults of fields they do not use.
    const empty = value === null || value === "" || (Array.isArray(value) && value.length === 0) || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
    if (REFUSED_FIELDS.has(name)) {
      if (empty) continue;
      throw new TollgateError("unsupported_field", `"${name}" limits money or access and has no function yet, so it is refused rather than ignored. Leave it out.`, { param: name });
    }
    if (!IDLE_FIELDS.has(name)) throw new TollgateError("unknown_field", `"${name}" is not known here.${nearest(name, [...known, ...IDLE_FIELDS])}`, { param: name });
    if (!empty) warnings.push(`${name} has no function yet and is ignored`);
  }
  return warnings;
}

function nearest(name: string, known: readonly string[]): string {
  let best: string | undefined;
  let least = 4;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best === undefined ? "" : ` Did you mean "${best}"?`;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3 || a.length > 64) return 99;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) next.push(Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] as number;
}
