import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { pino, type Logger } from "pino";
import { createUndiciUpstream } from "../adapters/upstream/undici/undici-upstream.ts";
import type { Clock } from "../base/clock.ts";
import { formatNanoUsd } from "../base/money.ts";
import { UlidSource } from "../base/ids.ts";
import type { Books } from "../domain/limits/books.ts";
import type { Limit } from "../domain/limits/limit.ts";
import { Engine } from "../engine/engine.ts";
import { Holds } from "../engine/holds.ts";
import { Directory } from "../engine/manage/directory.ts";
import { Management } from "../engine/manage/management.ts";
import { hashKey, keyIn, sameHash, type DataPlane } from "../surfaces/gateway/data-plane.ts";
import { GatewayObserver } from "../surfaces/gateway/metrics.ts";
import { createRouter } from "../surfaces/gateway/router.ts";
import { createHttpServer, type ClientPatience } from "../surfaces/http/http-server.ts";
import type { SimulatedProviderOptions } from "../surfaces/simulated/simulated-provider.ts";
import { globalCharges } from "./catalogue.ts";
import type { Config } from "./config/config.ts";
import { adjuster } from "./gateway/adjust.ts";
import { Closers } from "./gateway/closers.ts";
import { announce, explainedFileError, takeDataFolder } from "./gateway/data-folder.ts";
import { DIALECTS } from "./gateway/dialects.ts";
import { drain } from "./gateway/drain.ts";
import { listen } from "./gateway/listen.ts";
import { masterKeyFor } from "./gateway/master-key.ts";
import { openBooks } from "./gateway/open-books.ts";
import { openCatalogue } from "./gateway/open-catalogue.ts";

const MACHINE_TIME: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const FLUSH_MS = 100;
const TICK_MS = 1_000;

export interface GatewayOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
  /** The machine's, unless a test owns time. */
  readonly time?: Clock;
  /** How the simulated provider behaves, where there is one. */
  readonly simulation?: SimulatedProviderOptions;
}

export interface RunningGateway {
  readonly url: string;
  readonly masterKeyPath: string;
  readonly simulated: boolean;
  readonly modelNames: readonly string[];
  readonly recovered: { readonly replayed: number; readonly crashed: number };
  readonly log: Logger;
  /** Takes no new requests, drains, settles everything and closes (GATE 5.7). */
  close(): Promise<void>;
}

/**
 * Puts a gateway together and serves.
 * @throws TollgateError for everything that stops a start, with a sentence that says how to repair it
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const closers = new Closers();
  try {
    return await compose(options, closers);
  } catch (error) {
    await closers.closeAll();
    throw explainedFileError(error, options.folder);
  }
}

async function compose({ config, env, host, port, folder, simulation, time = MACHINE_TIME }: GatewayOptions, closers: Closers): Promise<RunningGateway> {
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  takeDataFolder(folder, closers);
  const master = masterKeyFor({ env, configured: config.masterKey, folder, host });
  const global = globalCharges(config);
  const directory = new Directory({
    global, masterHash: hashKey(master.key), tokenRateLimitType: config.tokenRateLimitType, timeZone: config.timeZone, weekStart: config.weekStart,
    maxEndUserBudgetNanoUsd: config.maxEndUserBudgetNanoUsd, customersPerMinute: config.customersPerMinute,
  });
  const open = await openBooks({ folder, directory, log, closers, time });
  const { catalogue, prices, simulated } = await openCatalogue(config, env, simulation ?? {}, closers);
  await seed(open.books, [...global.limits, ...catalogue.limits()]);
  const upstream = createUndiciUpstream({ idleTimeoutMs: config.idleTimeoutMs });
  closers.add(() => upstream.destroy());
  const observer: GatewayObserver = observe(log, () => engine.inFlight);
  const engine: Engine = new Engine({
    clock: open.clock, books: open.books, upstream, prices, observer,
    settings: { onDisconnect: config.onDisconnect, drainMs: config.drainMs, requestTimeoutMs: config.requestTimeoutMs, unpriced: config.unpriced },
  });
  const holds = new Holds(engine);
  const ids = new UlidSource((size) => randomBytes(size));
  let stopping = false;
  const plane: DataPlane = {
    clock: open.clock, ids, engine, dialects: DIALECTS, catalogue, bodyLimitBytes: config.bodyLimitBytes, budgetExceededStatus: config.budgetExceededStatus,
    ...identification(directory, hashKey(master.key)),
    stopping: () => stopping,
    onError: (error, requestId, status) => {
      observer.answeredError(error.code);
      if (status >= 500) log.warn({ call_id: requestId, code: error.code }, error.message);
    },
    onDefect: (error, requestId) => log.error({ call_id: requestId, err: error }, "defect"),
  };
  const management = new Management({
    directory, store: open.store, ids, clock: open.clock, hashKey, randomKey: () => `sk-${randomBytes(18).toString("base64url")}`,
    adjust: adjuster(open.books),
    standing: (scope, spec) => open.books.standingNow(scope, undefined, spec),
    seed: async (limits) => {
      await seed(open.books, limits);
      // What the windows begin with is committed before the change that brings them.
      open.flush();
    },
  });
  await management.repair();
  const handler = createRouter({
    plane, flush: open.flush, management, holds, store: open.store, books: open.books, observer, global, metricsAuth: config.metricsAuth,
    ready: () => open.healthy() && !stopping, warnings: config.warnings,
  });
  const { server, url } = await listen(createHttpServer(handler, patienceOf(config)), host, port);
  every(FLUSH_MS, open.flush, closers);
  every(TICK_MS, () => {
    engine.tick();
    holds.tick();
  }, closers);
  announce(folder, url, closers);
  const close = async (): Promise<void> => {
    stopping = true;
    await drain(server, engine, config.shutdownMs);
    holds.closeAll();
    await closers.closeAll();
  };
  return { url, masterKeyPath: master.path, simulated, modelNames: catalogue.modelNames(), recovered: open.recovered, log, close };
}

/** Limits begin with what their scopes were charged before (GATE 6.3). */
function seed(books: Books, limits: readonly Limit[]): Promise<void> {
  return new Promise((resolve, reject) => books.seed(limits, (error) => (error === undefined ? resolve() : reject(error))));
}

function observe(log: Logger, inFlight: () => number): GatewayObserver {
  return new GatewayObserver({
    inFlight,
    onRefusal: (call, refusal) => log.info({ call_id: call.requestId, outcome: refusal.outcome, scope: refusal.limit.scope.kind, model: call.request.model }, "refused"),
    onSoftBudget: ({ scope, cap, windowText }, until) => log.warn({ scope: scope.kind, scope_id: scope.label, soft_budget: formatNanoUsd(cap), window: windowText ?? null, until: Number.isFinite(until) ? new Date(until).toISOString() : null }, "soft budget crossed"),
    onFailure: (deployment, failure) => log.warn({ deployment: deployment.id, provider: deployment.provider, phase: failure.phase, reason: failure.message }, "upstream failed"),
  });
}

function identification(directory: Directory, masterHash: string): Pick<DataPlane, "identify" | "identifyKey" | "customer"> {
  const identifyKey: DataPlane["identifyKey"] = (key, now) => {
    const hash = hashKey(key);
    return sameHash(hash, masterHash) ? directory.master : directory.identify(hash, now);
  };
  return {
    identifyKey,
    identify: (request, now) => identifyKey(keyIn((name) => request.headers[name] as string | undefined), now),
    customer: (name, keyId, now) => directory.customer(name, keyId, now),
  };
}

/** A client has the longest silence of a provider to send its request, and a little more than the longest request to read. */
function patienceOf(config: Config): ClientPatience {
  return { headMs: 20_000, requestMs: config.idleTimeoutMs, silenceMs: config.requestTimeoutMs + 60_000 };
}

function every(intervalMs: number, work: () => void, closers: Closers): void {
  const timer = setInterval(work, intervalMs);
  closers.add(() => clearInterval(timer));
}
