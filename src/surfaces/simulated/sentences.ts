/** What the simulated provider talks about. Every answer begins with `[simulated]`, so nobody takes this for a model's. */
export const SENTENCES: readonly string[] = [
  "No model is behind this answer, only a short text that was prepared in advance.",
  "Your request went through every step that a real one would take, from its key to the ledger.",
  "The words you read are counted one by one, and each of them has its price.",
  "A budget is like a purse: what is taken out for the journey is put back if it was not needed.",
  "Small requests are cheap one at a time and dear by the thousand.",
  "A careful cook measures the salt before it goes into the soup.",
  "The bridge keeper notes each cart, its load and the hour, and closes the book at night.",
  "If this text stops in the middle of a thought, the output cap was reached.",
  "To hear from a real model, give the gateway a provider key and name the model again.",
  "Rivers find the sea without a map, but merchants do better with one.",
  "Three questions help with any plan: what does it cost, who pays, and what happens when the money is gone?",
  "Long prompts with the same beginning are cheaper the second time, here as elsewhere.",
];
