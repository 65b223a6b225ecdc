import type { CallRecord, CallRecordType, CallResponses, SuccessfulCall } from "./call-record.ts";

type Awaitable = void | Promise<void>;

/**
 * Follows the whole life of calls: extend it, override what you need and put an instance in `tollgate.callbacks`.
 * Methods run detached from the call, with frozen data; what they throw goes to `onCallbackError`.
 *
 * @example
 * class Log extends CustomLogger {
 *   override logSuccessEvent(call: SuccessfulCall): void { console.log(call.model, call.responseCost); }
 * }
 * tollgate.callbacks = [new Log()];
 */
export class CustomLogger {
  /** Admitted, and about to be sent; once for each attempt. */
  logPreApiCall(_call: CallRecord): Awaitable {}
  /** The provider answered an attempt, well or with an error. */
  logPostApiCall(_call: CallRecord, _response: unknown, _startTime: Date, _endTime: Date): Awaitable {}
  /** An event of a stream. */
  logStreamEvent(_call: CallRecord, _event: unknown, _startTime: Date, _endTime: Date): Awaitable {}
  /** The call is answered and its cost stands; for a stream after its last event, with the assembled response. */
  logSuccessEvent(_call: SuccessfulCall, _response: CallResponses[CallRecordType], _startTime: Date, _endTime: Date): Awaitable {}
  /** The call failed, was refused or given up; `call.responseCost` says what it cost all the same. */
  logFailureEvent(_call: CallRecord, _error: unknown, _startTime: Date, _endTime: Date): Awaitable {}
}

export type SuccessCallback = (call: SuccessfulCall, response: CallResponses[CallRecordType], startTime: Date, endTime: Date) => unknown;
export type FailureCallback = (call: CallRecord, error: unknown, startTime: Date, endTime: Date) => unknown;
/** Returns a patch of the call's parameters, or nothing. Awaited for a second at most. */
export type InputCallback<Patch = Readonly<Record<string, unknown>>> = (call: CallRecord, response: undefined, startTime: Date, endTime: undefined) => Patch | void | undefined | Promise<Patch | void | undefined>;
