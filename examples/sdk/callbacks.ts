// The four ways to listen. LiteLLM: `litellm.callbacks`, `success_callback`, `failure_callback`, `input_callback`.
import tollgate, { completion, CustomLogger, type CallRecord, type SuccessfulCall } from "tollgate";

/** The whole life of a call. */
class MyHandler extends CustomLogger {
  override logPreApiCall(call: CallRecord): void {
    console.log(`pre: ${call.model}, attempt ${call.attempt}`);
  }

  override logSuccessEvent(call: SuccessfulCall): void {
    console.log(`logged: $${call.cost.total}, cache hit: ${call.cacheHit}, metadata: ${JSON.stringify(call.metadata)}`);
  }

  override logFailureEvent(call: CallRecord): void {
    console.log(`failed: ${call.model}, lost: ${call.responseCost ?? "nothing"}`);
  }
}
tollgate.callbacks = [new MyHandler()];

tollgate.inputCallbacks = [(call) => (call.tags.includes("short") ? { max_tokens: 20 } : undefined)];
tollgate.successCallbacks = [async (call) => console.log(`success: ${call.usage?.completion_tokens} tokens out`)];
tollgate.failureCallbacks = [(_call, error) => console.log(`failure: ${error instanceof Error ? error.message : String(error)}`)];

const messages = [{ role: "user" as const, content: "Hello" }];
await completion({ model: "gpt-3.5-turbo", messages, tags: ["short"], metadata: { feature: "search" } });
await completion({ model: "gpt-3.5-turbo", messages, maxBudget: 0 }).catch(() => {}); // refused
await tollgate.flush();
