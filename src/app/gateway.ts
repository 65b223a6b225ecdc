import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { pino, type Logger } from "pino";
import { MemoryBooks } from "../adapters/books/memory/memory-books.ts";
import { FileJournal, readJournal } from "../adapters/journal/journal.ts";
import { loadLitellmMap } from "../adapters/prices/litellm-map.ts";
import { createPriceBook } from "../adapters/prices/price-book.ts";
import { openaiChat } from "../adapters/providers/openai/dialect.ts";
import { lockDataFolder } from "../adapters/stores/sqlite/lock.ts";
import { openSqliteStore } from "../adapters/stores/sqlite/store.ts";
import { createUndiciUpstream } from "../adapters/upstream/undici/undici-upstream.ts";
import { SteadyClock } from "../base/clock.ts";
import { TollgateError } from "../base/errors.ts";
import { UlidSource } from "../base/ids.ts";
import type { Entry } from "../domain/ledger/entry.ts";
import type { LedgerStore } from "../domain/ledger/store.ts";
import type { Limit } from "../domain/limits/limit.ts";
import { Engine } from "../engine/engine.ts";
import { Directory } from "../engine/manage/directory.ts";
import { Management } from "../engine/manage/management.ts";
import { hashKey, keyIn, sameHash, type DataPlane } from "../surfaces/gateway/data-plane.ts";
import { GatewayObserver } from "../surfaces/gateway/metrics.ts";
import { createRouter } from "../surfaces/gateway/router.ts";
import { startSimulatedProvider } from "../surfaces/simulated/simulated-provider.ts";
import { createCatalogue, globalCharges } from "./catalogue.ts";
import type { Config } from "./config/config.ts";
import { masterKeyFor } from "./master-key.ts";
import { recover } from "./recover.ts";

const FLUSH_MS = 100;
const TICK_MS = 1_000;
const DAY_MS = 86_400_000;

export interface GatewayOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: string;
  readonly port: number;
  readonly folder: string;
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
  const { config, env, host, folder } = options;
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  makeFolder(folder);
  const lock = lockDataFolder(folder);
  const master = masterKeyFor({ env, configured: config.masterKey, folder, host });
  const clock = new SteadyClock({ now: () => Date.now(), monotonic: () => performance.now() }, (byMs) => log.warn({ byMs }, "the system clock stepped back; wall time is held"));
  const store = await openSqliteStore({ path: join(folder, "ledger.db"), onProblem: (error) => log.error({ err: error }, "the ledger could not be written; it is retried") });
  const state = await store.load();
  if (state.newestAt > clock.now() + DAY_MS) {
    throw new TollgateError("clock_behind", `The system clock says ${new Date(clock.now()).toISOString()}, but the ledger has an entry of ${new Date(state.newestAt).toISOString()}. Set the clock.`);
  }
  clock.atLeast(state.newestAt);
  const health = { journal: true };
  const contents = readJournal(join(folder, "journal"));
  const journal = new FileJournal({
    folder: join(folder, "journal"), nextSequence: Math.max(contents.nextSequence, state.lastSequence + 1), finished: contents.segments,
    onHealth: (healthy, error) => {
      health.journal = healthy;
      if (healthy) log.info("the journal can be written again");
      else log.error({ err: error }, "the journal cannot be written");
    },
  });
  const hand = handOver(store, journal);
  const books = new MemoryBooks({ clock, journal, stored: new Map(state.balances.map((balance) => [balance.counter, balance.spent])), onEntry: hand.entry });
  hand.balances = () => books.takeBalances();
  const global = globalCharges(config);
  const masterHash = hashKey(master.key);
  const directory = new Directory({
    global, masterHash, tokenRateLimitType: config.tokenRateLimitType, timeZone: config.timeZone, weekStart: config.weekStart, maxEndUserBudgetNanoUsd: config.maxEndUserBudgetNanoUsd,
    customersPerMinute: config.customersPerMinute,
  });
  directory.load(state.records);
  const recovered = recover(contents, state.lastSequence, journal, books, limitsOn(directory, global.limits));
  if (recovered.crashed > 0) log.warn(recovered, "attempts of a crashed gateway were charged at their holds");
  hand.flush();

  const litellmMap = config.priceMap === undefined ? undefined : await loadLitellmMap(config.priceMap);
  const prices = createPriceBook(litellmMap === undefined ? {} : { litellmMap });
  const simulatedProvider = config.simulated === "always" || (config.simulated === "auto" && config.models.length === 0) ? await startSimulatedProvider({}) : undefined;
  const catalogue = createCatalogue({ config, book: prices, env, simulatedUrl: simulatedProvider === undefined ? undefined : `${simulatedProvider.url}/v1` });
  const spent: LedgerStore["spent"] = (scope, model, from, to) => {
    hand.flush();
    return store.spent(scope, model, from, to);
  };
  await books.seed(global.limits, spent);
  for (const name of catalogue.modelNames()) for (const deployment of catalogue.deployments(name)) await books.seed(deployment.charges.limits, spent);

  const upstream = createUndiciUpstream({ idleTimeoutMs: config.idleTimeoutMs });
  let engine: Engine;
  const observer = new GatewayObserver({
    inFlight: () => engine.inFlight,
    onRefusal: (call, refusal) => log.info({ call_id: call.requestId, outcome: refusal.outcome, scope: refusal.limit.scope.kind, model: call.request.model }, "refused"),
    onFailure: (deployment, failure) => log.warn({ deployment: deployment.id, provider: deployment.provider, phase: failure.phase, reason: failure.message }, "upstream failed"),
  });
  engine = new Engine({
    clock, books, upstream, prices, observer,
    settings: { onDisconnect: config.onDisconnect, drainMs: config.drainMs, requestTimeoutMs: config.requestTimeoutMs, unpriced: config.unpriced },
  });
  const ids = new UlidSource((size) => randomBytes(size));
  let stopping = false;
  const identifyKey: DataPlane["identifyKey"] = (key, now) => {
    const hash = hashKey(key);
    return sameHash(hash, masterHash) ? directory.master : directory.identify(hash, now);
  };
  const plane: DataPlane = {
    clock, ids, engine, dialect: openaiChat, catalogue, bodyLimitBytes: config.bodyLimitBytes, budgetExceededStatus: config.budgetExceededStatus,
    identify: (request, now) => identifyKey(keyIn((name) => request.headers[name] as string | undefined), now),
    identifyKey,
    customer: (name, keyId, now) => directory.customer(name, keyId, now),
    stopping: () => stopping,
    onError: (error, requestId, status) => { if (status >= 500) log.warn({ call_id: requestId, code: error.code }, error.message); },
    onDefect: (error, requestId) => log.error({ call_id: requestId, err: error }, "defect"),
  };
  const management = new Management({
    directory, store, ids, clock, hashKey, randomKey: () => `sk-${randomBytes(18).toString("base64url")}`,
    standing: (scope, spec) => books.standing(scope, spec),
    seed: (limits) => books.seed(limits, spent),
  });
  const handler = createRouter({ plane, flush: hand.flush, management, store, books, observer, global, metricsAuth: config.metricsAuth, ready: () => health.journal && !stopping, warnings: config.warnings });
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, (request: IncomingMessage, response: ServerResponse) => handler(request, response));
  await listen(server, options.port, host);
  const flushTimer = setInterval(hand.flush, FLUSH_MS);
  const tickTimer = setInterval(() => engine.tick(), TICK_MS);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(folder, "gateway.json"), `${JSON.stringify({ url, pid: process.pid })}\n`);

  const close = async (): Promise<void> => {
    stopping = true;
    server.close();
    server.closeIdleConnections();
    const drained = new Promise<boolean>((resolve) => engine.whenIdle(() => resolve(true)));
    const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), config.shutdownMs).unref());
    if (!(await Promise.race([drained, late]))) {
      engine.cancelAll();
      await drained;
    }
    await new Promise((resolve) => setImmediate(resolve));
    server.closeAllConnections();
    clearInterval(flushTimer);
    clearInterval(tickTimer);
    journal.close();
    hand.flush();
    await store.close();
    await upstream.destroy();
    await simulatedProvider?.close();
    rmSync(join(folder, "gateway.json"), { force: true });
    lock.release();
  };
  return { url, masterKeyPath: master.path, simulated: simulatedProvider !== undefined, modelNames: catalogue.modelNames(), recovered, log, close };
}

/** Entries go to the ledger in batches, with the balances they made, and the journal learns what is safe. */
function handOver(store: LedgerStore, journal: FileJournal) {
  let entries: Entry[] = [];
  let lastSequence = 0;
  store.onCommitted((sequence) => journal.committed(sequence));
  const hand = {
    balances: (): ReturnType<MemoryBooks["takeBalances"]> => [],
    entry(entry: Entry, sequence: number): void {
      entries.push(entry);
      lastSequence = Math.max(lastSequence, sequence);
    },
    flush(): void {
      const balances = hand.balances();
      if (entries.length === 0 && balances.length === 0) return;
      const batch = entries;
      entries = [];
      store.write({ entries: batch, balances, lastSequence });
    },
  };
  return hand;
}

/** The limits that stand on a scope (text) today: what a replay counts. */
function limitsOn(directory: Directory, global: readonly Limit[]): (scope: string) => readonly Limit[] {
  return (scope) => {
    if (scope === "global") return global;
    const colon = scope.indexOf(":");
    const kind = scope.slice(0, colon);
    if (kind !== "key" && kind !== "team" && kind !== "user" && kind !== "member" && kind !== "customer") return [];
    const row = directory.get(kind, scope.slice(colon + 1));
    return row === undefined ? [] : directory.limitsOf(kind, row.record);
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new TollgateError("data_folder_unwritable", `The data folder ${folder} cannot be made: ${(error as Error).message}. Choose another with --data.`, { cause: error });
  }
}

function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE"
      ? new TollgateError("port_in_use", `Port ${port} on ${host} is taken by another program. Stop it, or choose another port with --port.`, { cause: error })
      : error));
    server.listen(port, host, () => resolve());
  });
}
