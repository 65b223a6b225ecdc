import type { ErrorCode, ErrorDetails, TollgateError } from "../../base/errors.ts";

/** How an error looks outside: its status, and the `type` that clients of LiteLLM test for. */
interface Face {
  readonly status: number;
  readonly type: string;
}

const BAD_REQUEST: Face = { status: 400, type: "invalid_request_error" };
const INTERNAL: Face = { status: 500, type: "internal_server_error" };
const ACCESS_DENIED = 403;

/** Exhaustive: a new error code does not compile until it has a face. */
const FACES: Readonly<Record<ErrorCode, Face>> = {
  // The status of a spent budget is a setting; see `statusOf`.
  budget_exceeded: { status: 422, type: "budget_exceeded" },
  budget_held: { status: 429, type: "budget_held" },
  rate_limited: { status: 429, type: "rate_limit_error" },
  request_exceeds_tpm: { status: 400, type: "request_exceeds_tpm" },
  cost_not_boundable: { status: 400, type: "cost_not_boundable" },
  unpriced: { status: 400, type: "unpriced" },
  missing_key: { status: 401, type: "auth_error" },
  invalid_key: { status: 401, type: "token_not_found_in_db" },
  key_blocked: { status: 401, type: "auth_error" },
  key_expired: { status: 400, type: "expired_key" },
  key_model_access_denied: { status: ACCESS_DENIED, type: "key_model_access_denied" },
  team_model_access_denied: { status: ACCESS_DENIED, type: "team_model_access_denied" },
  user_model_access_denied: { status: ACCESS_DENIED, type: "user_model_access_denied" },
  forbidden: { status: 403, type: "auth_error" },
  too_many_new_customers: { status: 429, type: "rate_limit_error" },
  invalid_json: BAD_REQUEST,
  invalid_request: BAD_REQUEST,
  duplicate_member: BAD_REQUEST,
  forbidden_member: BAD_REQUEST,
  body_too_large: { status: 413, type: "invalid_request_error" },
  malformed_http: BAD_REQUEST,
  headers_too_large: { status: 431, type: "invalid_request_error" },
  request_timeout: { status: 408, type: "timeout_error" },
  body_too_deep: BAD_REQUEST,
  unsupported_encoding: { status: 415, type: "invalid_request_error" },
  unknown_model: BAD_REQUEST,
  unknown_field: { status: 400, type: "bad_request_error" },
  unsupported_field: { status: 400, type: "bad_request_error" },
  invalid_amount: { status: 400, type: "bad_request_error" },
  invalid_duration: { status: 400, type: "bad_request_error" },
  invalid_time_zone: { status: 400, type: "bad_request_error" },
  already_exists: { status: 400, type: "bad_request_error" },
  not_found: { status: 404, type: "not_found_error" },
  unknown_route: { status: 404, type: "not_found_error" },
  method_not_allowed: { status: 405, type: "invalid_request_error" },
  conflict: { status: 409, type: "bad_request_error" },
  upstream_auth: { status: 502, type: "upstream_error" },
  upstream_unreachable: { status: 502, type: "upstream_error" },
  upstream_failed: { status: 502, type: "upstream_error" },
  upstream_timeout: { status: 504, type: "timeout_error" },
  upstream_refused: { status: 502, type: "upstream_error" },
  aborted: { status: 499, type: "invalid_request_error" },
  journal_unavailable: { status: 503, type: "service_unavailable" },
  ledger_unwritable: { status: 503, type: "service_unavailable" },
  shutting_down: { status: 503, type: "service_unavailable" },
  overloaded: { status: 503, type: "service_unavailable" },
  internal: INTERNAL,
  // Errors of the start and of the command line; they reach no client of the gateway.
  config_invalid: INTERNAL,
  config_unreadable: INTERNAL,
  port_in_use: INTERNAL,
  address_unavailable: INTERNAL,
  data_folder_in_use: INTERNAL,
  data_folder_unwritable: INTERNAL,
  monitor_state_unwritable: INTERNAL,
  journal_corrupt: INTERNAL,
  ledger_unreadable: INTERNAL,
  ledger_newer: INTERNAL,
  cache_unreadable: INTERNAL,
  cache_newer: INTERNAL,
  weak_master_key: INTERNAL,
  clock_behind: INTERNAL,
  price_map_invalid: INTERNAL,
  file_unwritable: INTERNAL,
  gateway_unreachable: INTERNAL,
  audit_failed: INTERNAL,
  no_model_fits: INTERNAL,
  usage: INTERNAL,
};

/** @param budgetExceededStatus the configured status of a spent budget (400, 402, 422 or 429) */
export function statusOf(code: ErrorCode, budgetExceededStatus: number): number {
  return code === "budget_exceeded" ? budgetExceededStatus : FACES[code].status;
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
    readonly tollgate_code: ErrorCode;
    readonly litellm_call_id?: string;
    readonly details?: ErrorDetails;
  };
}

/**
 * The one error envelope. What a defect says of itself goes to the log, never to a client.
 * @example errorBody(new TollgateError("not_found", "There is no key \"ci\"."), 404) // { error: { message, type: "not_found_error", param: null, code: "404", … } }
 */
export function errorBody(error: TollgateError, status: number, callId?: string): ErrorBody {
  const hidden = FACES[error.code] === INTERNAL;
  const message = hidden ? `A defect of Tollgate; the log has the details${callId === undefined ? "" : ` under ${callId}`}.` : error.message;
  return {
    error: {
      message,
      type: FACES[error.code].type,
      param: hidden ? null : (error.param ?? null),
      code: String(status),
      tollgate_code: hidden ? "internal" : error.code,
      ...(callId === undefined ? {} : { litellm_call_id: callId }),
      ...(hidden || error.details === undefined ? {} : { details: error.details }),
    },
  };
}
