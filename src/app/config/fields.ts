import { CUSTOM_PRICE_FIELDS, UNSUPPORTED_PRICE_FIELDS } from "../../adapters/prices/custom-price.ts";

/** What each kind of field is once it is read. Amounts are nano-dollars; prices stay decimal text. */
export interface Kinds {
  text: string;
  secret: string;
  url: string;
  /** A whole number from 0. */
  whole: number;
  amount: bigint;
  price: string;
  boolean: boolean;
  duration: string;
  zone: string;
  choice: string;
  texts: readonly string[];
  /** Read by its own function. */
  nested: never;
}

export interface Field {
  readonly kind: keyof Kinds;
  /** The words a `choice` may have. */
  readonly words?: readonly string[];
}

export type Values<F extends Readonly<Record<string, Field>>> = { readonly [K in keyof F]?: Kinds[F[K]["kind"]] };

/** The keys of one mapping of the configuration. */
export interface Block<F extends Readonly<Record<string, Field>> = Readonly<Record<string, Field>>> {
  readonly supported: F;
  /** LiteLLM's keys without a function here: accepted, and said in the warnings. */
  readonly stored: readonly string[];
  /** LiteLLM's keys that limit money or access and have no function here: accepting them would promise what is not kept. */
  readonly refused: readonly string[];
}

const choice = <const W extends readonly string[]>(...words: W) => ({ kind: "choice", words }) as const;
const TEXT = { kind: "text" } as const;
const SECRET = { kind: "secret" } as const;
const URL_ = { kind: "url" } as const;
const WHOLE = { kind: "whole" } as const;
const AMOUNT = { kind: "amount" } as const;
const FLAG = { kind: "boolean" } as const;
const DURATION = { kind: "duration" } as const;
const NESTED = { kind: "nested" } as const;

const PRICED = CUSTOM_PRICE_FIELDS.filter((name) => !UNSUPPORTED_PRICE_FIELDS.includes(name));

/** Price fields of a deployment that become rates. */
export const PRICE_FIELDS: Block = {
  supported: Object.fromEntries(PRICED.map((name) => [name, { kind: "price" } as const])),
  stored: UNSUPPORTED_PRICE_FIELDS,
  refused: [],
};

const block = <F extends Readonly<Record<string, Field>>>(supported: F, stored: readonly string[] = [], refused: readonly string[] = []): Block<F> => ({ supported, stored, refused });

export const ROOT = block({
  model_list: NESTED, litellm_settings: NESTED, general_settings: NESTED, router_settings: NESTED, environment_variables: NESTED, tollgate: NESTED,
}, ["callback_settings", "credential_list", "vector_store_registry", "search_tools", "assistant_settings", "files_settings", "finetune_settings", "cache_settings"], ["guardrails", "mcp_servers", "teams"]);

export const MODEL = block({ model_name: TEXT, litellm_params: NESTED, model_info: NESTED }, ["description"]);

export const PARAMS = block({
  model: TEXT, api_key: SECRET, api_base: URL_, base_url: URL_, api_version: TEXT, organization: TEXT,
  rpm: WHOLE, tpm: WHOLE, max_parallel_requests: WHOLE, max_budget: AMOUNT, budget_duration: DURATION,
  output_cap_field: choice("max_tokens", "max_completion_tokens"), supports_stream_options: FLAG, boundable_params: { kind: "texts" },
}, [
  "timeout", "stream_timeout", "max_retries", "weight", "order", "tags", "region_name", "custom_llm_provider", "temperature", "top_p", "seed", "drop_params",
  "additional_drop_params", "extra_headers", "extra_body", "headers", "input_type", "litellm_credential_name", "use_in_pass_through", "use_litellm_proxy",
  "merge_reasoning_content_in_choices", "cooldown_time", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name", "vertex_project",
  "vertex_location", "vertex_credentials", "tenant_id", "client_id", "client_secret", "azure_ad_token", "thinking", "reasoning_effort", "cache_control_injection_points",
], ["itpm", "otpm", "max_tokens", "max_completion_tokens", "mock_response", "max_file_size_mb", "guardrails"]);

export const INFO = block({
  id: TEXT, base_model: TEXT, max_output_tokens: WHOLE, max_tokens: WHOLE,
}, [
  "mode", "max_input_tokens", "db_model", "version", "litellm_provider", "description", "created_at", "updated_at", "supported_environments", "health_check_model", "health_check_timeout",
  "health_check_voice", "disable_background_health_check", "supports_vision", "supports_function_calling", "supports_parallel_function_calling", "supports_tool_choice",
  "supports_response_schema", "supports_system_messages", "supports_prompt_caching", "supports_reasoning", "supports_audio_input", "supports_audio_output", "supports_pdf_input",
], ["access_groups", "team_id", "team_public_model_name"]);

export const LITELLM = block({
  max_budget: AMOUNT, budget_duration: DURATION, budget_limits: NESTED, soft_budget: AMOUNT, timezone: { kind: "zone" }, max_end_user_budget: AMOUNT,
  budget_exceeded_status_code: choice("400", "402", "422", "429"), require_auth_for_metrics_endpoint: FLAG,
}, [
  "callbacks", "success_callback", "failure_callback", "service_callbacks", "audit_log_callbacks", "drop_params", "num_retries", "request_timeout", "allowed_fails", "telemetry", "set_verbose",
  "json_logs", "turn_off_message_logging", "redact_user_api_key_info", "modify_params", "cache", "cache_params", "enable_redis_auth_cache", "ssl_verify", "ssl_certificate",
  "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "enable_preview_features", "add_function_to_prompt", "disable_hf_tokenizer_download",
  "extra_spend_tag_headers", "disable_add_user_agent_to_request_tags", "disable_end_user_cost_tracking", "disable_end_user_cost_tracking_prometheus_only",
  "enable_end_user_cost_tracking_prometheus_only", "custom_prometheus_metadata_labels", "custom_prometheus_tags", "prometheus_metrics_config", "prometheus_initialize_budget_metrics",
  "store_audit_logs", "network_mock", "langfuse_default_tags", "return_response_headers", "model_group_settings", "credential_list", "default_soft_budget", "public_model_groups",
], [
  "budget_reset_time", "budget_exceeded_throttle_percentage", "budget_rollover", "max_end_user_budget_id", "max_internal_user_budget", "internal_user_budget_duration",
  "default_max_internal_user_budget", "max_user_budget", "max_ui_session_budget", "default_key_generate_params", "upperbound_key_generate_params", "key_generation_settings",
  "default_internal_user_params", "default_team_params", "default_team_settings", "cost_discount_config", "cost_margin_config", "tag_budget_config", "priority_reservation",
  "priority_reservation_settings", "guardrails", "blocked_user_list", "banned_keywords_list", "mcp_aliases",
]);

export const GENERAL = block({
  master_key: SECRET, token_rate_limit_type: choice("total", "input", "output"), max_parallel_requests: WHOLE, global_max_parallel_requests: WHOLE, require_auth_for_metrics_endpoint: FLAG,
}, [
  "proxy_budget_rescheduler_min_time", "proxy_budget_rescheduler_max_time", "proxy_batch_write_at", "database_connection_pool_limit", "database_connection_timeout", "store_model_in_db",
  "disable_spend_logs", "disable_reset_budget", "disable_error_logs", "store_prompts_in_spend_logs", "maximum_spend_logs_retention_period", "maximum_spend_logs_retention_interval",
  "maximum_spend_logs_cleanup_cron", "use_redis_transaction_buffer", "user_header_name", "user_header_mappings", "alerting", "alert_types", "alert_to_webhook_url", "alert_type_config",
  "alerting_args", "alerting_threshold", "spend_report_frequency", "fail_closed_budget_enforcement", "completion_model", "background_health_checks", "health_check_interval", "health_check_details",
  "infer_model_from_keys", "disable_master_key_return", "forward_client_headers_to_llm_api", "ui_access_mode", "key_management_system", "key_management_settings", "proxy_config",
], [
  "database_url", "database_type", "disable_spend_updates", "disable_budget_reservation", "apply_user_budget_to_team_keys", "enforce_fallback_budget", "enforce_user_param",
  "reject_clientside_metadata_tags", "custom_auth", "custom_auth_run_common_checks", "allow_requests_on_db_unavailable", "allowed_ips", "allowed_routes", "admin_only_routes", "public_routes",
  "enable_jwt_auth", "litellm_jwtauth", "enable_oauth2_auth", "enable_oauth2_proxy_auth", "oauth2_config_mappings", "enforced_params", "max_request_size_mb", "max_response_size_mb",
  "pass_through_endpoints", "custom_key_generate", "custom_sso", "use_x_forwarded_for", "enforce_rpm_tpm_on_model_add", "enforce_project_model_quota", "block_robots",
  "scope_spend_list_endpoints_to_caller", "role_permissions", "allow_client_side_credentials", "user_api_key_cache_ttl", "service_account_settings",
]);

export const ROUTER = block({}, [
  "routing_strategy", "routing_strategy_args", "redis_host", "redis_port", "redis_password", "redis_url", "cache_responses", "enable_pre_call_checks", "enable_tag_filtering",
  "tag_filtering_match_any", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "num_retries", "max_retries", "timeout", "stream_timeout",
  "allowed_fails", "allowed_fails_policy", "cooldown_time", "disable_cooldowns", "retry_policy", "retry_after", "debug_level", "set_verbose", "polling_interval", "model_group_retry_policy",
  "max_fallbacks", "default_litellm_params", "client_ttl", "alerting_config", "cache_kwargs", "caching_groups",
], ["provider_budget_config", "optional_pre_call_checks", "model_group_alias", "default_max_parallel_requests", "router_general_settings"]);

export const TOLLGATE = block({
  week_start: choice("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"), unpriced: choice("block", "allow"), on_disconnect: choice("drain", "cancel"),
  drain_ms: WHOLE, request_timeout_ms: WHOLE, idle_timeout_ms: WHOLE, shutdown_ms: WHOLE, body_limit_bytes: WHOLE, price_map: TEXT, providers: NESTED,
  log_level: choice("debug", "info", "warn", "error", "silent"), simulated: choice("auto", "always", "never"), direct_models: FLAG, customers_per_minute: WHOLE,
});

export const PROVIDER = block({ api_key: SECRET, api_base: URL_, api_version: TEXT });

export const BUDGET_LIMIT = block({ max_budget: AMOUNT, budget_duration: DURATION });

/** Every mapping of a configuration, by its path. */
export const BLOCKS: Readonly<Record<string, Block>> = {
  "": ROOT, "model_list[]": MODEL, "model_list[].litellm_params": PARAMS, "model_list[].model_info": INFO, litellm_settings: LITELLM, "litellm_settings.budget_limits[]": BUDGET_LIMIT,
  general_settings: GENERAL, router_settings: ROUTER, tollgate: TOLLGATE, "tollgate.providers.NAME": PROVIDER,
};
