import type { ChargeSet } from "../limits/limit.ts";
import type { Price, PriceBook } from "../pricing/price.ts";
import type { RouteName } from "./dialect.ts";

/** A place where a model can be called: a configured entry of `model_list`, or `provider/model` itself. */
export interface Deployment {
  /** Stable between starts; the id of its `deployment` scope. */
  readonly id: string;
  /** The name clients use. */
  readonly modelName: string;
  readonly provider: string;
  /** The provider's own name of the model. */
  readonly model: string;
  readonly origin: string;
  /** Path and query of each route at this origin. */
  readonly paths: Readonly<Record<RouteName, string>>;
  /** Flat list of all headers that requests carry to the provider; one of them authorises us. Secret. */
  readonly headers: readonly string[];
  /** Where chat completions say an added output cap. */
  readonly capField: "max_tokens" | "max_completion_tokens";
  readonly supportsStreamOptions: boolean;
  readonly boundableParams: readonly string[];
  /** The price in the configuration, if any; it wins over the book. */
  readonly customPrice: Price | undefined;
  readonly maximumOutput: number | undefined;
  readonly charges: ChargeSet;
  /** Served by our own simulated provider. */
  readonly simulated: boolean;
}

/** Which deployments serve a model name, in order; empty if the name is unknown. */
export interface Catalogue {
  deployments(modelName: string): readonly Deployment[];
  /** Names that clients can use, for `/v1/models`. */
  modelNames(): readonly string[];
}

/** The price in force: the deployment's own, else the book's (GATE 5.10), else an estimate where the policy is to make one (2.3). */
export function priceOf(deployment: Deployment, book: PriceBook, at: number): Price | undefined {
  return deployment.customPrice ?? book.find(deployment.provider, deployment.model, at) ?? book.dearest?.(deployment.provider, at);
}

/** The price of an answer: the deployment's own, else of the model that the answer names, else of the one requested. */
export function settledPriceOf(deployment: Deployment, book: PriceBook, at: number, answered: string | undefined): Price | undefined {
  if (deployment.customPrice !== undefined) return deployment.customPrice;
  if (answered !== undefined && answered !== deployment.model) {
    const price = book.find(deployment.provider, answered, at);
    if (price !== undefined) return price;
  }
  return priceOf(deployment, book, at);
}
