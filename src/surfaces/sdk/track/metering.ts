import { AsyncLocalStorage } from "node:async_hooks";

/** One mark for every copy of Tollgate in the program: what is sent inside is metered already. */
const KEY = Symbol.for("tollgate.metering@1");

function store(): AsyncLocalStorage<true> {
  const holder = globalThis as unknown as Record<symbol, AsyncLocalStorage<true> | undefined>;
  return (holder[KEY] ??= new AsyncLocalStorage<true>());
}

/** Wrappers may be nested; only the outermost meters. */
export function isMetered(): boolean {
  return store().getStore() === true;
}

export function asMetered<T>(send: () => T): T {
  return store().run(true, send);
}
