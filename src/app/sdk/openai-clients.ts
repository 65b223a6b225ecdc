import { AzureOpenAI as NamedAzureOpenAI, OpenAI as BaseOpenAI } from "openai";
import { trackedFetch } from "./tracked-fetch.ts";


type Options = ConstructorParameters<typeof BaseOpenAI>[0];
type AzureOptions = ConstructorParameters<typeof NamedAzureOpenAI>[0];

/** OpenAI's client, whose calls are metered, priced and capped; only the import changes. */
export class OpenAI extends BaseOpenAI {
  constructor(options: Options = {}) {
    super({ ...options, fetch: trackedFetch(options?.fetch) });
  }
}

/** The same for Azure. */
export class AzureOpenAI extends NamedAzureOpenAI {
  constructor(options: AzureOptions = {}) {
    super({ ...options, fetch: trackedFetch(options?.fetch) });
  }
}

