import { CUSTOM_PRICE_FIELDS, UNSUPPORTED_PRICE_FIELDS } from "../../adapters/prices/custom-price.ts";

/**
 * What becomes of a key: read by us; `idle`: known in LiteLLM and without a function here, told as a warning;
 * `refused`: it would limit money or access, and to accept it would promise what is not kept (GATE 10.5).
 */
export type FieldFate = "read" | "idle" | "refused";
export type FieldTable = ReadonlyMap<string, FieldFate>;

function table(read: string, idle = "", refused = ""): FieldTable {
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
  return new Map([
    ...words(read).map((name): [string, FieldFate] => [name, "read"]),
    ...words(idle).map((name): [string, FieldFate] => [name, "idle"]),
    ...words(refused).map((name): [string, FieldFate] => [name, "refused"]),
  ]);
}

const PRICES = CUSTOM_PRICE_FIELDS.filter((name) => !UNSUPPORTED_PRICE_FIELDS.includes(name)).join(" ");
const IDLE_PRICES = UNSUPPORTED_PRICE_FIELDS.join(" ");

/** Every key of a configuration, by its section; `docs/config.md` lists the same. */
export const SECTIONS = {
  top: table("model_list litellm_settings general_settings router_settings environment_variables tollgate",
    "callback_settings", "include guardrails teams mcp_servers credential_list vector_store_registry finetune_settings files_settings"),
  model: table("model_name litellm_params model_info"),
  params: table(`model custom_llm_provider api_key api_base base_url api_version rpm tpm max_parallel_requests max_budget budget_duration ${PRICES}`,
    `timeout stream_timeout max_retries num_retries organization region_name drop_params weight order temperature top_p seed stream max_tokens max_completion_tokens cooldown_time use_in_pass_through merge_reasoning_content_in_choices input_cost_per_token_batches tpm_limit_type ${IDLE_PRICES}`,
    "itpm otpm mock_response tags default_api_key_rpm_limit default_api_key_tpm_limit configurable_clientside_auth_params litellm_credential_name extra_headers extra_body headers budget_id"),
  info: table(`id base_model max_tokens max_output_tokens output_cap_field supports_stream_options boundable_params ${PRICES}`,
    `mode description max_input_tokens supports_vision supports_function_calling supports_parallel_function_calling supports_prompt_caching supports_reasoning supports_response_schema supports_system_messages supports_tool_choice health_check_timeout health_check_model disable_background_health_check version db_model litellm_provider ${IDLE_PRICES}`,
    "access_groups team_id team_public_model_name"),
  litellm: table("max_budget budget_duration timezone budget_exceeded_status_code max_end_user_budget",
    "callbacks success_callback failure_callback service_callbacks set_verbose drop_params num_retries request_timeout cache cache_params json_logs turn_off_message_logging redact_user_api_key_info default_soft_budget custom_prometheus_metadata_labels custom_prometheus_tags prometheus_metrics_config prometheus_initialize_budget_metrics extra_spend_tag_headers disable_add_user_agent_to_request_tags disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only enable_end_user_cost_tracking_prometheus_only store_audit_logs enable_redis_auth_cache network_mock telemetry fallbacks context_window_fallbacks content_policy_fallbacks default_fallbacks allowed_fails cooldown_time modify_params langfuse_default_tags langsmith_default_run_name forward_traceparent_to_llm_provider ssl_verify default_team_settings enable_json_schema_validation add_function_to_prompt",
    "budget_reset_time budget_exceeded_throttle_percentage budget_rollover max_end_user_budget_id max_internal_user_budget internal_user_budget_duration default_max_internal_user_budget max_user_budget max_ui_session_budget default_key_generate_params upperbound_key_generate_params key_generation_settings default_internal_user_params default_team_params cost_discount_config cost_margin_config tag_budget_config priority_reservation priority_reservation_settings blocked_user_list banned_keywords_list model_group_settings guardrails public_routes"),
  general: table("master_key token_rate_limit_type",
    "database_url database_connection_pool_limit database_connection_timeout store_model_in_db proxy_batch_write_at proxy_budget_rescheduler_min_time proxy_budget_rescheduler_max_time disable_spend_logs disable_error_logs store_prompts_in_spend_logs maximum_spend_logs_retention_period maximum_spend_logs_retention_interval maximum_spend_logs_cleanup_cron use_redis_transaction_buffer alerting alert_types alert_to_webhook_url alert_type_config alerting_args alerting_threshold spend_report_frequency fail_closed_budget_enforcement background_health_checks health_check_interval completion_model infer_model_from_keys admin_ui_disabled ui_access_mode proxy_logo_url disable_budget_reservation allow_requests_on_db_unavailable",
    "apply_user_budget_to_team_keys disable_spend_updates disable_reset_budget max_parallel_requests global_max_parallel_requests enforce_user_param reject_clientside_metadata_tags user_header_name user_header_mappings custom_auth custom_auth_run_common_checks enforce_fallback_budget scope_spend_list_endpoints_to_caller legacy_unscoped_spend_list_endpoints enforce_rpm_tpm_on_model_add enforce_project_model_quota enable_jwt_auth litellm_jwtauth enable_oauth2_auth allowed_ips allowed_routes admin_only_routes admin_allowed_routes public_routes max_request_size_mb max_response_size_mb enforced_params use_client_credentials_pass_through_routes pass_through_endpoints key_management_system key_management_settings service_account_settings role_permissions max_budget"),
  router: table("optional_pre_call_checks",
    "routing_strategy routing_strategy_args redis_host redis_port redis_password redis_url num_retries timeout stream_timeout allowed_fails allowed_fails_policy retry_policy cooldown_time disable_cooldowns fallbacks context_window_fallbacks content_policy_fallbacks default_fallbacks max_fallbacks model_group_alias model_group_retry_policy retry_after enable_pre_call_checks set_verbose debug_level cache_responses",
    "provider_budget_config enable_tag_filtering tag_filtering_match_any default_max_parallel_requests"),
  tollgate: table("soft_budget week_start unpriced on_disconnect drain_ms request_timeout_ms idle_timeout_ms shutdown_ms body_limit_bytes customers_per_minute price_map providers log_level simulated metrics_auth monitor"),
  provider: table("api_key api_base api_version"),
  monitor: table("daily_limit user_limit model_limit key_limit tag_limit budgets anomalies minimum_rise sensitivity unpriced overruns summaries channels state time_zone every_seconds"),
  monitorBudget: table("name max_budget budget_duration user model key tag team provider at"),
  monitorChannel: table("type name url secret host port secure insecure user password from to timeout_ms"),
} as const satisfies Record<string, FieldTable>;
