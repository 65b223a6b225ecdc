import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "src/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Crash, gate and flow tests start real gateways: more than two at a time starve each other on small machines.
    maxWorkers: 2,
  },
});
