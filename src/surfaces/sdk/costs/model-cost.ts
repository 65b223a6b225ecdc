import type { CostFunctions, ModelInfo } from "./cost-functions.ts";

/** The map of all prices, made when somebody looks into it; one model at a time as long as nobody lists them. */
export function lazyModelCost(costs: () => CostFunctions): Readonly<Record<string, ModelInfo>> {
  const one = (key: string): ModelInfo | undefined => {
    try {
      return costs().getModelInfo(key);
    } catch {
      return undefined;
    }
  };
  return new Proxy(Object.create(null) as Record<string, ModelInfo>, {
    get: (_target, key) => (typeof key === "string" ? one(key) : undefined),
    has: (_target, key) => typeof key === "string" && one(key) !== undefined,
    ownKeys: () => Object.keys(costs().modelCost()),
    getOwnPropertyDescriptor: (_target, key) => {
      const value = typeof key === "string" ? one(key) : undefined;
      return value === undefined ? undefined : { value, enumerable: true, configurable: true, writable: false };
    },
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
}
