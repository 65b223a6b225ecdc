/**
 * Every error a user can meet, by its stable code. The code never changes its meaning; the sentence may.
 * HTTP statuses belong to the surfaces (`surfaces/http/status.ts`), never here.
 */
export const ERROR_CODES = {
  // Refusals of the gate.
  budget_exceeded: "A budget is spent; nothing fits any more before its window resets or its amount is raised.",
  budget_held: "The budget is not spent, but other requests in flight hold what is left; try again in a moment.",
  rate_limited: "A request, token or parallel limit is reached; try again after the stated time.",
  request_exceeds_tpm: "The request alone is larger than the whole token limit; it can never fit.",
  cost_not_boundable: "A hard budget applies and the request contains something whose cost has no upper bound.",
  unpriced: "A hard budget applies and the model (or something it used) has no price.",
  // Who asks.
  missing_key: "No API key was sent.",
  invalid_key: "The API key is not known here.",
  key_blocked: "The API key, its user, team or customer is blocked.",
  key_expired: "The API key has expired.",
  key_model_access_denied: "The API key may not use this model.",
  team_model_access_denied: "The team of the API key may not use this model.",
  user_model_access_denied: "The user of the API key may not use this model.",
  forbidden: "The API key may not do this.",
  too_many_new_customers: "The API key names too many new customers in one minute.",
  // What is asked.
  invalid_json: "The body is not valid JSON.",
  invalid_request: "A member of the request has a wrong type or value.",
  duplicate_member: "The body has the same member twice; parsers differ on which one wins.",
  forbidden_member: "The body has a member named __proto__.",
  body_too_large: "The body is larger than the limit.",
  malformed_http: "What came is not an HTTP request.",
  headers_too_large: "The headers of the request are larger than the limit.",
  request_timeout: "The request did not arrive whole in time.",
  body_too_deep: "The body is nested deeper than the limit.",
  unsupported_encoding: "Compressed bodies are not accepted.",
  unknown_model: "The model is neither configured nor known by provider/model.",
  unknown_field: "A field is not known.",
  unsupported_field: "A field that limits money or access has no function yet; storing it would promise what is not kept.",
  invalid_amount: "An amount of money is negative, not a number, or has too many digits.",
  invalid_duration: "A duration is not understood.",
  invalid_time_zone: "A time zone is not an IANA name.",
  already_exists: "An object with this id or alias exists.",
  not_found: "There is no such object.",
  unknown_route: "There is no such route.",
  method_not_allowed: "The route exists, but not for this method.",
  conflict: "The object was changed by somebody else at the same time.",
  // Upstream.
  upstream_auth: "The provider refused the credentials of this deployment.",
  upstream_unreachable: "The provider could not be reached.",
  upstream_failed: "The provider's answer broke off or was not understood.",
  upstream_timeout: "The provider did not answer in time.",
  upstream_refused: "The provider answered with an error of its own.",
  aborted: "The caller gave the request up.",
  // The books.
  no_model_fits: "No model meets the budget, the quality and the requirements; each is listed with its reasons.",
  // The house itself.
  journal_unavailable: "The journal cannot be written (is the disk full?); nothing was sent.",
  ledger_unwritable: "The ledger cannot be written (is the disk full?); nothing was changed.",
  shutting_down: "The gateway is stopping and takes no new requests.",
  overloaded: "The gateway has too many requests in flight.",
  internal: "A defect of Tollgate; the log has the details under this call id.",
  // Start.
  config_invalid: "The configuration has problems; all of them are listed.",
  config_unreadable: "The configuration file cannot be read.",
  port_in_use: "The port is taken by another program.",
  address_unavailable: "The address or port cannot be listened on.",
  data_folder_in_use: "Another process uses this data folder.",
  data_folder_unwritable: "The data folder cannot be written.",
  monitor_state_unwritable: "The file in which a monitor keeps what it has sent cannot be written.",
  journal_corrupt: "The journal is damaged in the middle.",
  ledger_unreadable: "The ledger file is damaged or no ledger of Tollgate.",
  ledger_newer: "The ledger was written by a newer version of Tollgate.",
  cache_unreadable: "The file of a cache is damaged or no cache of Tollgate.",
  cache_newer: "The file of a cache was written by a newer version of Tollgate.",
  weak_master_key: "The master key is too weak for an address that others can reach.",
  clock_behind: "The system clock is more than a day behind the newest entry of the ledger.",
  price_map_invalid: "A price map cannot be read.",
  file_unwritable: "A file cannot be written at the path that was named.",
  gateway_unreachable: "No gateway answers at this address.",
  audit_failed: "The books do not agree.",
  usage: "The command line is not understood.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error says beside its sentence; only JSON-safe values, never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** Programs may hold several copies of this module, so `instanceof` is not enough: every copy knows this mark. */
export const ERROR_KIND: unique symbol = Symbol.for("tollgate.error@1");

/** The kind of a Tollgate error, of whatever copy of this module; `undefined` for anything else. */
export function errorKind(value: unknown): string | undefined {
  const kind = typeof value === "object" && value !== null ? (value as { [ERROR_KIND]?: unknown })[ERROR_KIND] : undefined;
  return typeof kind === "string" ? kind : undefined;
}

/**
 * An error with a stable code and a sentence that says how to repair it.
 * @example throw new TollgateError("invalid_duration", 'budget_duration "0d" must be positive, such as "30d".', { param: "budget_duration" })
 */
export class TollgateError extends Error {
  readonly code: ErrorCode;
  /** The member of the request (or path in the configuration) at fault. */
  readonly param: string | undefined;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, options: { param?: string; details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TollgateError";
    this.code = code;
    this.param = options.param;
    this.details = options.details;
  }

  get [ERROR_KIND](): string {
    return "TollgateError";
  }

  /** True for errors of every copy of Tollgate in the program. */
  static isInstance(value: unknown): value is TollgateError {
    return errorKind(value) !== undefined;
  }
}
