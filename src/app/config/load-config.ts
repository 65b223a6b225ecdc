import { readFileSync } from "node:fs";
import { TollgateError } from "../../base/errors.ts";
import { checkZone } from "../../domain/windows/zone.ts";
import type { WeekDay } from "../../domain/windows/window.ts";
import type { Config } from "./config.ts";
import { SECTIONS } from "./fields.ts";
import { optional, readModels, readProviders } from "./read-models.ts";
import { Findings, Section } from "./reader.ts";
import { readTree } from "./yaml-tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Checks that LiteLLM switches on, and that are always made here. */
const ALWAYS_CHECKED: ReadonlySet<string> = new Set(["router_budget_limiting", "enforce_model_rate_limits"]);
const DAY_MS = 86_400_000;
const BODY_MAX = 100 * 1024 * 1024;

/**
 * Reads a LiteLLM `config.yaml`, with our own block `tollgate`. All problems are told at once, each with its path.
 *
 * @param source a file, or its text; neither: the defaults
 * @throws TollgateError `config_unreadable`, `config_invalid` (`details.problems` has one sentence for each)
 * @example loadConfig({ file: "config.yaml", env: process.env }).models[0]?.modelName
 */
export function loadConfig(source: ConfigSource): Config {
  const { config, warnings } = readDocument(source, readConfig);
  return { ...config, warnings };
}

export interface ConfigSource {
  readonly file?: string | undefined;
  readonly text?: string | undefined;
  readonly env: Environment;
}

/** Reads a document with one reader, and tells all of its problems at once. @throws TollgateError `config_unreadable`, `config_invalid` */
export function readDocument<T>(source: ConfigSource, read: (top: Section, environment: Readonly<Record<string, string>>, findings: Findings) => T): { readonly config: T; readonly warnings: readonly string[] } {
  const problems: string[] = [];
  const tree = readTree(source.text ?? (source.file === undefined ? "" : readText(source.file)), (sentence) => problems.push(sentence));
  if (problems.length > 0) throw invalid(problems, source.file);
  const own = new Findings(environmentOf(source.env));
  const environment = readEnvironment(new Section(tree, "", undefined, own));
  const findings = new Findings(new Map([...environmentOf(source.env), ...Object.entries(environment)]));
  findings.problems.push(...own.problems.filter((problem) => problem.startsWith("environment_variables")));
  const config = read(new Section(tree, "", SECTIONS.top, findings), environment, findings);
  if (findings.problems.length > 0) throw invalid(findings.problems, source.file);
  return { config, warnings: findings.warnings };
}

function readConfig(top: Section, environment: Readonly<Record<string, string>>, findings: Findings): Config {
  const litellm = top.section("litellm_settings", SECTIONS.litellm);
  const general = top.section("general_settings", SECTIONS.general);
  const ours = top.section("tollgate", SECTIONS.tollgate);
  checkRouter(top.section("router_settings", SECTIONS.router), findings);
  return {
    ...optional({
      masterKey: environmentKey(findings) ?? general.secret("master_key"),
      maxEndUserBudgetNanoUsd: litellm.amount("max_end_user_budget"),
      priceMap: ours.text("price_map"),
    }),
    models: readModels(top),
    globalBudget: optional({ maxBudgetNanoUsd: litellm.amount("max_budget"), budgetDuration: litellm.duration("budget_duration"), softBudgetNanoUsd: ours.amount("soft_budget") }),
    timeZone: readZone(litellm),
    weekStart: (ours.count("week_start", 0, 6) ?? 0) as WeekDay,
    budgetExceededStatus: litellm.count("budget_exceeded_status_code", 400, 499) ?? 422,
    tokenRateLimitType: general.choice("token_rate_limit_type", ["total", "input", "output"]) ?? "total",
    unpriced: ours.choice("unpriced", ["block", "estimate", "allow"]) ?? "allow",
    onDisconnect: ours.choice("on_disconnect", ["drain", "cancel"]) ?? "drain",
    drainMs: ours.count("drain_ms", 0, DAY_MS) ?? 30_000,
    requestTimeoutMs: ours.count("request_timeout_ms", 1, DAY_MS) ?? 600_000,
    idleTimeoutMs: ours.count("idle_timeout_ms", 1, DAY_MS) ?? 120_000,
    shutdownMs: ours.count("shutdown_ms", 0, DAY_MS) ?? 25_000,
    bodyLimitBytes: ours.count("body_limit_bytes", 1, BODY_MAX) ?? 10 * 1024 * 1024,
    customersPerMinute: ours.count("customers_per_minute") ?? 100,
    providers: readProviders(ours.section("providers", undefined)),
    environment,
    logLevel: ours.choice("log_level", ["debug", "info", "warn", "error", "silent"]) ?? "info",
    simulated: ours.choice("simulated", ["auto", "always", "never"]) ?? "auto",
    metricsAuth: ours.flag("metrics_auth") ?? true,
    warnings: [],
  };
}

/** The environment wins over the file (GATE 10.4). */
function environmentKey(findings: Findings): string | undefined {
  for (const name of ["TOLLGATE_MASTER_KEY", "LITELLM_MASTER_KEY"]) {
    const key = findings.environment.get(name)?.trim();
    if (key === undefined || key === "") continue;
    if (!/^[\x21-\x7e]+$/.test(key)) findings.problem(name, "must be printable ASCII without spaces.");
    return key;
  }
  return undefined;
}

function readEnvironment(top: Section): Readonly<Record<string, string>> {
  const section = top.section("environment_variables", undefined);
  const values: [string, string][] = [];
  for (const name of section.names()) {
    const raw = section.raw(name);
    const value = typeof raw === "boolean" ? String(raw) : section.text(name);
    if (value !== undefined) values.push([name, value]);
  }
  return Object.fromEntries(values);
}

function readZone(litellm: Section): string {
  const name = litellm.text("timezone");
  if (name === undefined) return "UTC";
  try {
    return checkZone(name, { param: "timezone" });
  } catch {
    litellm.problem("timezone", "must be an IANA time zone, such as Europe/Berlin or UTC.");
    return "UTC";
  }
}

function checkRouter(router: Section, findings: Findings): void {
  for (const name of router.list("optional_pre_call_checks")) {
    if (!ALWAYS_CHECKED.has(name)) findings.warnings.push(`${router.at("optional_pre_call_checks")} has a check without a function in Tollgate yet; it is ignored.`);
  }
}

function environmentOf(env: Environment): ReadonlyMap<string, string> {
  return new Map(Object.entries(env).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]])));
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new TollgateError("config_unreadable", `The configuration file ${JSON.stringify(file)} cannot be read; check its path and its permissions.`, { cause });
  }
}

function invalid(problems: readonly string[], file: string | undefined): TollgateError {
  const where = file === undefined ? "The configuration" : `The configuration ${JSON.stringify(file)}`;
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return new TollgateError("config_invalid", `${where} has ${count}:\n${problems.map((problem) => `- ${problem}`).join("\n")}`, { details: { problems } });
}
