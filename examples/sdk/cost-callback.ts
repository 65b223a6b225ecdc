// The cost of each call, told to a function of yours. LiteLLM: `litellm.success_callback = [track_cost_callback]`.
import tollgate, { completion, type SuccessCallback } from "tollgate";

const trackCost: SuccessCallback = (call) => {
  console.log(`Request cost: $${call.cost.total}`); // exact; `call.responseCost` is the same as a number
};
tollgate.successCallbacks = [trackCost];

const response = await completion({ model: "gpt-3.5-turbo", messages: [{ role: "user", content: "Hello" }] });
await tollgate.flush();
console.log(`The answer says the same: $${response.cost.total}`);
