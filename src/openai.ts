// Names of our own win over those of `export *`: everything else of the package stays as it is.
export * from "openai";
export { AzureOpenAI, OpenAI, OpenAI as default } from "./app/sdk/openai-clients.ts";
