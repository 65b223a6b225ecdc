/** A terminal's Ctrl-C reaches npm and the gateway, and npm hands it on: what comes so soon after is the same key. */
const SAME_KEY_MS = 500;

/** Resolves at the first SIGTERM or Ctrl-C; the next one has its usual effect again. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const stop = (): void => {
      if (told) return;
      told = true;
      setTimeout(() => {
        process.off("SIGTERM", stop);
        process.off("SIGINT", stop);
      }, SAME_KEY_MS).unref();
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
}
