/** Model ids of the price book, for autocomplete; any other text is fine too. */
export type KnownModel = "openai/gpt-4o-mini" | "openai/gpt-4o";
