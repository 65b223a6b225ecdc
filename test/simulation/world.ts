import { openaiChat } from "../../src/adapters/providers/openai/chat/dialect.ts";
import { restoreBooks, type RestoredBooks } from "../../src/app/gateway/restore-books.ts";
import { SteadyClock } from "../../src/base/clock.ts";
import { UlidSource } from "../../src/base/ids.ts";
import { counterId } from "../../src/domain/ledger/counter-id.ts";
import { adjustmentEntry, type Charge, type JournalRecord } from "../../src/domain/ledger/entry.ts";
import type { CounterStanding, OpenAttempt, Refusal } from "../../src/domain/limits/books.ts";
import type { ChargeSet, Limit, Measure } from "../../src/domain/limits/limit.ts";
import type { Price, PriceBook } from "../../src/domain/pricing/price.ts";
import { GLOBAL_SCOPE, scopeText, type Scope } from "../../src/domain/scopes/scope.ts";
import type { Deployment } from "../../src/domain/upstream/deployment.ts";
import { spanAt } from "../../src/domain/windows/span.ts";
import { LIFETIME, MINUTE_SLIDING, NOW, type WindowSpec } from "../../src/domain/windows/window.ts";
import type { Call, LeavePolicy } from "../../src/engine/call.ts";
import { Engine, type CallHandle } from "../../src/engine/engine.ts";
import { Holds } from "../../src/engine/holds.ts";
import { postMetered } from "../../src/engine/metered.ts";
import { seededRandom, type Random } from "../support/seeded-random.ts";
import { SimulatedClient } from "./client.ts";
import { Machine } from "./machine.ts";
import { MAXIMUM_OUTPUT, nanoOf, PICO, SimulatedUpstream } from "./provider.ts";
import { demand, Shadow, throwViolation } from "./shadow.ts";

const aligned = (count: number, unit: "s" | "m" | "h" | "d"): WindowSpec => ({ kind: "aligned", duration: { count, unit }, zone: "UTC", weekStart: 0 });
const WINDOWS: readonly WindowSpec[] = [LIFETIME, LIFETIME, aligned(1, "d"), aligned(1, "h"), aligned(1, "m"), aligned(30, "s")];
const MODELS = Object.keys(PICO);
const POLICIES: readonly LeavePolicy[] = ["drain", "cancel", "cancel_at_hold"];
const REQUEST_TIMEOUT_MS = 600_000;

const PRICES: PriceBook = {
  version: "simulated",
  find: (_provider, model): Price | undefined => {
    const rates = PICO[model];
    return rates === undefined ? undefined : { version: `simulated/${model}`, provider: "p", model, tiers: [], rates: { input: { pico: rates.input, per: 1n }, output: { pico: rates.output, per: 1n } } };
  },
  info: () => ({ maximumOutput: MAXIMUM_OUTPUT, contextWindow: undefined }),
};

interface Live {
  readonly call: Call;
  readonly client: SimulatedClient;
  handle: CallHandle | undefined;
}

/** One seeded world: traffic, clock, failures and crashes over the real engine, books, journal, recovery and ledger. */
export class World {
  readonly random: Random;
  steps: string[] = [];
  crashes = 0;
  private readonly honest: boolean;
  private readonly machine = new Machine();
  private readonly shadow = new Shadow();
  private readonly ids: UlidSource;
  private readonly payers: ChargeSet[];
  private readonly deployments: readonly Deployment[];
  private readonly calls = new Map<string, Call>();
  private readonly sent = new Map<string, string>();
  private upstream: SimulatedUpstream;
  private clock!: SteadyClock;
  private restored!: RestoredBooks;
  private engine!: Engine;
  private holds!: Holds;
  private live: Live[] = [];
  private openHolds: { readonly id: string; readonly held: bigint }[] = [];
  private closed: { readonly attempt: OpenAttempt; readonly charge: Charge }[] = [];
  private count = 0;
  private restarting: Set<string> | undefined;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.honest = this.random() < 0.8;
    this.ids = new UlidSource((size) => Uint8Array.from({ length: size }, () => this.below(256)));
    this.upstream = new SimulatedUpstream(this.random, this.honest, (call) => this.onSend(call));
    const scopes: readonly Scope[][] = [["team", "T"], ["key", "A"], ["key", "B"], ["customer", "C"]].map(([kind, id]) => [{ kind, id, label: id } as Scope]);
    const [team, a, b, customer] = scopes.map(([scope]) => scope) as [Scope, Scope, Scope, Scope];
    this.payers = [[GLOBAL_SCOPE, team, a], [GLOBAL_SCOPE, b], [customer]].map((set) => ({ scopes: set, limits: this.limitsFor(set), payer: { scope: set.at(-1) as Scope, window: this.pick(WINDOWS) } }));
    this.deployments = ["d1", "d2"].map((id) => ({
      id, modelName: "any", provider: "p", model: this.pick(MODELS), origin: "http://p", paths: { chat_completions: "/", embeddings: "/", responses: "/" }, headers: [], capField: this.pick(["max_tokens", "max_completion_tokens"]),
      supportsStreamOptions: true, boundableParams: [], customPrice: undefined, maximumOutput: this.chance(0.5) ? MAXIMUM_OUTPUT : undefined,
      charges: { scopes: [{ kind: "deployment", id, label: id }], limits: this.chance(0.3) ? this.limitsFor([{ kind: "deployment", id, label: id }]) : [] }, simulated: false,
    }));
  }

  /** @throws Violation */
  async run(steps: number): Promise<void> {
    try {
      await this.boot();
      for (let i = 0; i < steps; i += 1) {
        await this.step();
        await settled();
        throwViolation();
      }
      await this.rest();
      throwViolation();
    } finally {
      this.machine.remove();
    }
  }

  private async step(): Promise<void> {
    const roll = this.random() * 100;
    const does = (name: string): void => { this.steps.push(name); };
    if (roll < 30) this.startCall();
    else if (roll < 58) this.advanceProvider();
    else if (roll < 70) this.flush();
    else if (roll < 74) this.restored.hand.flush();
    else if (roll < 78) this.machine.commit();
    else if (roll < 82) this.machine.answerOne();
    else if (roll < 86) { does("time"); this.pass(this.pick([1, 50, 900, 5_000, 20_000, 61_000])); }
    else if (roll < 87) { does("long time"); this.pass(this.pick([600_000, 3_600_000, 7_300_000, 86_400_000])); this.engine.tick(); this.holds.tick(); }
    else if (roll < 88) { does("clock back"); this.machine.wallMs -= this.below(7_200_000); }
    else if (roll < 91) this.troubleCall();
    else if (roll < 92) this.settleTwice();
    else if (roll < 94) this.moveHolds();
    else if (roll < 95.5) this.post();
    else if (roll < 96.5) this.changeLimits();
    else if (roll < 97.2) { this.machine.diskFull = !this.machine.diskFull; does(this.machine.diskFull ? "disk full" : "disk free"); }
    else if (roll < 97.9) this.machine.slow = !this.machine.slow;
    else if (roll < 99.3) await this.crash();
    else await this.rest();
  }

  private async boot(): Promise<void> {
    this.clock = new SteadyClock(this.machine, () => {});
    this.machine.slow = false;
    // A process that was killed says nothing more, though its promises still run here.
    const life = this.crashes;
    const alive = (): boolean => this.crashes === life;
    this.restored = await restoreBooks({
      folder: this.machine.folder, clock: this.clock, store: this.machine.store(), state: this.machine.load(), onHealth: () => {},
      openJournal: this.machine.openJournal({ appended: (record) => this.onRecord(record) }),
    });
    this.engine = new Engine({
      clock: this.clock, books: this.restored.books, upstream: this.upstream, prices: PRICES,
      settings: { onDisconnect: "drain", drainMs: 30_000, requestTimeoutMs: REQUEST_TIMEOUT_MS, unpriced: "block" },
      observer: {
        refused: (call, refusal) => { if (alive()) this.onRefused(call, refusal); },
        settled: ({ attempt, charge }) => { if (alive()) this.closed.push({ attempt, charge }); },
        upstreamFailed: () => {},
      },
    });
    this.holds = new Holds(this.engine);
  }

  private async crash(): Promise<void> {
    this.steps.push("crash");
    this.crashes += 1;
    this.machine.crash(this.random);
    const expected = this.shadow.crash();
    for (const { works } of this.upstream.running) if (this.chance(0.5)) for (const work of works) work();
    this.upstream.running = [];
    this.live = [];
    this.openHolds = [];
    this.closed = [];
    this.machine.monotonicMs = 1_000;
    this.machine.wallMs += this.below(3_000) - 1_500;
    this.restarting = expected;
    await this.boot();
    demand(this.restarting.size === 0, () => `promise 3: held, crashed and never charged: ${[...(this.restarting ?? [])].join(" ")}`);
    this.restarting = undefined;
    // A crash in the middle of recovery: nothing that it did may count twice.
    if (this.chance(0.2)) await this.crash();
  }

  private startCall(): void {
    const name = String((this.count += 1));
    const declared = this.chance(0.7);
    const stream = this.chance(0.5);
    const text = "x".repeat(1 + this.below(300));
    const body = Buffer.from(JSON.stringify({
      model: "any", messages: [{ role: "user", content: text }], metadata: { call: name }, ...(stream ? { stream } : {}), ...(this.chance(0.1) ? { n: 1 + this.below(4) } : {}),
      ...(declared ? { [this.pick(["max_tokens", "max_completion_tokens"])]: 1 + this.below(MAXIMUM_OUTPUT) } : {}),
    }));
    const at = this.clock.now();
    const payers = [this.pick(this.payers.slice(0, 2)), ...(this.chance(0.3) ? [this.payers[2] as ChargeSet] : [])];
    const requestId = this.ids.next(at);
    const call: Call = {
      requestId, at, route: "chat", dialect: openaiChat, request: openaiChat.read(body), body, charges: payers, deployments: this.chance(0.5) ? this.deployments : [this.pick(this.deployments)],
      keyId: null, teamId: null, userId: null, customer: null, tags: [],
    };
    this.calls.set(requestId, call);
    this.sent.set(name, requestId);
    const client = new SimulatedClient(name, (attemptId) => this.machine.diskFull || this.shadow.entries.get(attemptId)?.durable === true);
    const live: Live = { call, client, handle: undefined };
    this.live.push(live);
    this.steps.push(`call ${name}`);
    live.handle = this.engine.start(call, client);
    if (this.chance(0.6)) this.flush();
  }

  private advanceProvider(): void {
    const ready = this.upstream.running.filter((one) => !one.paused && one.steps.length > 0);
    if (ready.length === 0) return;
    const one = this.pick(ready);
    let steps = this.chance(0.5) ? 1 : 20;
    while (steps-- > 0 && one.steps.length > 0 && !one.paused) one.steps.shift()?.();
    if (this.chance(0.5)) this.flush();
  }

  private flush(): void { this.machine.journal?.flush(); }

  private pass(ms: number): void {
    this.machine.wallMs += ms;
    this.machine.monotonicMs += ms;
    this.engine.tick();
    this.holds.tick();
  }

  private troubleCall(): void {
    const open = this.live.filter(({ client }) => client.outcome === undefined && !client.left);
    if (open.length === 0) return;
    const { client, handle } = this.pick(open);
    const trouble = this.below(4);
    if (trouble === 0) handle?.pause();
    else if (trouble === 1) handle?.resume();
    else if (trouble === 2) handle?.expire();
    else {
      client.left = true;
      this.steps.push("leave");
      handle?.leave(this.pick(POLICIES));
    }
  }

  private settleTwice(): void {
    if (this.closed.length === 0) return;
    const { attempt, charge } = this.pick(this.closed);
    let told = false;
    this.restored.books.close(attempt, { ...charge, cost: charge.cost + 1_000n }, () => { told = true; });
    demand(told, () => "promise 4: who settles twice is never answered");
  }

  private moveHolds(): void {
    const known = this.openHolds[this.below(Math.max(1, this.openHolds.length))];
    if (known !== undefined && this.chance(0.6)) {
      const outcome = this.chance(0.3) ? "released" : { cost: (known.held * BigInt(this.below(101))) / 100n };
      try {
        this.holds.settle(known.id, undefined, outcome, () => {});
      } catch (error) {
        demand((error as { code?: string }).code === "not_found", () => `holds: ${String(error)}`);
      }
      return;
    }
    const name = String((this.count += 1));
    const at = this.clock.now();
    const requestId = this.ids.next(at);
    const body = Buffer.from(JSON.stringify({ model: "any", messages: [{ role: "user", content: "x" }], metadata: { call: name }, max_tokens: 50 }));
    const call: Call = {
      requestId, at, route: "hold", dialect: openaiChat, request: openaiChat.read(body), body, charges: [this.pick(this.payers.slice(0, 2))], deployments: [this.deployments[0] as Deployment],
      keyId: null, teamId: null, userId: null, customer: null, tags: [],
    };
    this.calls.set(requestId, call);
    this.holds.reserve(call, (admission) => { if (admission.kind === "open") this.openHolds.push({ id: requestId, held: admission.attempt.hold.nanoUsd }); });
  }

  /** A charge metered elsewhere, or an adjustment; each is told two times. */
  private post(): void {
    const at = this.clock.now();
    const payer = this.pick(this.payers.slice(0, 2));
    const { books } = this.restored;
    let posted = 0;
    const then = (_error: Error | undefined, isNew: boolean): void => {
      if (isNew) posted += 1;
      demand(posted <= 1, () => "promise 4: one post counted twice");
    };
    if (this.chance(0.5)) {
      const call = { callId: this.ids.next(at), at, route: "elsewhere", model: "any", provider: "p", upstreamModel: "any", charges: [payer], keyId: null, teamId: null, userId: null, customer: null, tags: [], metadata: null };
      const charge: Charge = {
        cost: BigInt(this.below(50_000)), estimated: null, status: "ok", httpStatus: null, lines: [], priceVersion: null, unpriced: false, inputTokens: 1, outputTokens: 1, cachedTokens: 0, answeredModel: null, responseId: null, rawUsage: null, durationMs: 0,
      };
      for (let i = 0; i < 2; i += 1) postMetered(books, call, charge, then);
      return;
    }
    const money = payer.limits.filter((limit) => limit.measure === "nanoUsd");
    if (money.length === 0) return;
    const { scope, model, window } = this.pick(money);
    books.standing(scope, model, window, (error, standing) => {
      if (error !== undefined) return;
      const now = this.clock.now();
      const by = this.chance(0.5) ? -standing.spent : BigInt(this.below(20_000));
      const entry = adjustmentEntry({ id: this.ids.next(now), at: now, scope: scopeText(scope), counter: counterId(scope, model, window, spanAt(window, now).start), by, metadata: null });
      for (let i = 0; i < 2; i += 1) books.post(entry, [], then);
    });
  }

  /** As the management API does it: new windows are seeded, then the set is replaced. */
  private changeLimits(): void {
    this.steps.push("limits");
    const index = this.below(this.payers.length);
    const old = this.payers[index] as ChargeSet;
    const set: ChargeSet = { ...old, limits: this.limitsFor(old.scopes) };
    this.restored.books.seed(set.limits, (error) => { if (error === undefined) this.payers[index] = set; });
  }

  /** Everything ends, and everything must agree. */
  private async rest(): Promise<void> {
    this.steps.push("rest");
    this.machine.diskFull = false;
    this.machine.slow = false;
    for (let round = 0; round < 50; round += 1) {
      for (let i = 0; i < 20; i += 1) this.machine.answerOne();
      this.flush();
      await settled();
      for (const one of [...this.upstream.running]) while (one.steps.length > 0) one.steps.shift()?.();
      for (const { id } of this.openHolds.splice(0)) {
        try { this.holds.settle(id, undefined, { cost: 1n }, () => {}); } catch { /* charged already */ }
      }
      if (round > 2) this.pass(REQUEST_TIMEOUT_MS);
      if (round > 3 && this.engine.inFlight === 0 && this.restored.books.openAttempts === 0) break;
    }
    this.restored.hand.flush();
    this.machine.commit();
    await this.compare();
  }

  private async compare(): Promise<void> {
    const { books, hand } = this.restored;
    demand(this.engine.inFlight === 0 && this.holds.count === 0, () => `at rest ${this.engine.inFlight} attempts and ${this.holds.count} holds are open`);
    const left = [...this.shadow.holds.keys()].filter((id) => this.shadow.isOpen(id));
    demand(books.openAttempts === 0 && left.length === 0, () => `promise 2: at rest ${books.openAttempts} attempts hold money: ${left.join(" ")}`);
    for (const limit of new Set([...this.payers, ...this.deployments.map((one) => one.charges)].flatMap((set) => set.limits))) {
      if (limit.measure === "slots") demand(this.shadow.slots(limit) === 0n, () => "7.4: a slot is taken at rest");
      if (limit.measure !== "nanoUsd") continue;
      const standing = await new Promise<CounterStanding>((resolve, reject) => { books.standing(limit.scope, limit.model, limit.window, (error, value) => (error === undefined ? resolve(value) : reject(error))); });
      const shadow = this.shadow.standing(limit, this.clock.now());
      demand(standing.spent === shadow.spent && standing.held === 0n, () => `promise 5: ${nameOf(limit)} stands at ${standing.spent} (held ${standing.held}), the records say ${shadow.spent}`);
    }
    hand.flush();
    this.machine.commit();
    const difference = this.machine.audit(books.allBalances());
    demand(difference === null, () => `promise 5: ${difference}`);
    const entries = this.machine.entries();
    demand(entries.length === this.shadow.entries.size, () => `promise 3: ${entries.length} entries in the ledger, ${this.shadow.entries.size} in the journal`);
    for (const entry of entries) {
      const known = this.shadow.entries.get(entry.id);
      demand(known !== undefined && known.entry.cost === entry.cost && known.entry.status === entry.status, () => `promise 5: the ledger has ${entry.id} at ${entry.cost}, the journal said ${known?.entry.cost}`);
    }
    for (const live of this.live) demand(live.client.outcome !== undefined || live.client.left, () => `call ${String(JSON.parse(live.call.request.metadata ?? "").call)} was never answered`);
    this.live = [];
    this.closed = [];
    for (const bill of this.upstream.bills.values()) this.compareBill(bill);
  }

  private compareBill({ call, pico, expected }: { readonly call: string; readonly pico: bigint; readonly expected: string | undefined }): void {
    const requestId = this.sent.get(call) ?? "";
    const entries = [...this.shadow.entries.values()].filter(({ entry }) => entry.requestId === requestId);
    demand(entries.length === 1, () => `promise 3: call ${call} reached the provider and has ${entries.length} entries`);
    const { entry } = entries[0] as (typeof entries)[0];
    const what = `call ${call} (${entry.status}, ${entry.estimated ?? "exact"}) was charged ${entry.cost} of ${entry.held} held; the provider's bill says ${nanoOf(pico)}, and it should be ${expected}`;
    const honest = this.honest && this.isBounded(requestId);
    if (honest || entry.estimated === null) demand(BigInt(entry.cost) >= nanoOf(pico), () => `5: ${what}`);
    if (honest) demand(BigInt(entry.cost) <= BigInt(entry.held) && entry.overage === "0", () => `promise 1: ${what}`);
    if (entry.status === "crashed" || entry.status === "timeout" || entry.status === "client_gone") return;
    if (expected === "exact") demand(entry.estimated === null && BigInt(entry.cost) === nanoOf(pico), () => `5.1: ${what}`);
    if (expected === "zero") demand(entry.cost === "0", () => `5.2: ${what}`);
    if (expected === "hold") demand(entry.cost === entry.held && entry.estimated !== null, () => `5.3: ${what}`);
  }

  /** Only where a hard budget applies is the provider told a cap that the client did not declare (GATE 3.3). */
  private isBounded(requestId: string): boolean {
    const attempt = ["01", "02"].map((number) => this.shadow.bounds.get(`${requestId}.${number}`));
    return !attempt.includes(false);
  }

  private onSend(call: string): void {
    const requestId = this.sent.get(call) ?? "";
    demand([...this.shadow.holds.values()].some(({ facts, durable }) => facts.requestId === requestId && durable), () => `8.1: call ${call} is sent before its hold is in the journal`);
  }

  private onRecord(record: JournalRecord): (landed: boolean) => void {
    if (record.type === "hold") {
      const { facts } = record;
      const call = this.calls.get(facts.requestId) as Call;
      const deployment = call.deployments.find((one) => one.id === facts.deployment) as Deployment;
      const charges = [...call.charges, deployment.charges];
      const hold = this.shadow.hold(facts, BigInt(record.held), this.machine.monotonicMs, charges);
      for (const limit of charges.flatMap((set) => set.limits)) this.checkRoom(limit, facts.at, facts.model);
      return (landed) => { if (landed) hold.durable = true; else this.shadow.giveBack(facts.attemptId); };
    }
    const { entry } = record;
    if (entry.status === "crashed") {
      demand(this.restarting?.delete(entry.id) === true, () => `5.6: ${entry.id} is charged as crashed, and was ${this.shadow.holds.has(entry.id) ? "open" : "never held"}`);
      demand(entry.cost === this.shadow.holds.get(entry.id)?.held.toString(), () => `5.6: ${entry.id} is not charged at its hold`);
    } else if (entry.kind === "charge" && entry.route !== "elsewhere") {
      demand(this.shadow.isOpen(entry.id), () => `${entry.id} is settled and was not open`);
      if (this.honest && this.isBounded(entry.requestId)) demand(BigInt(entry.cost) <= (this.shadow.holds.get(entry.id)?.held ?? 0n), () => `promise 1: ${entry.id} costs ${entry.cost}, above its hold`);
    }
    const known = this.shadow.settle(entry);
    return (landed) => { known.durable ||= landed; };
  }

  /** GATE 3: spent + held + hold <= cap, counted again from every record; the hold is among them already. */
  private checkRoom(limit: Limit, at: number, model: string): void {
    if (!limit.hard || (limit.model !== undefined && limit.model !== model)) return;
    if (limit.measure === "nanoUsd") {
      const { spent, held } = this.shadow.standing(limit, at);
      demand(spent + held <= limit.cap, () => `promise 1: ${nameOf(limit)} has ${spent} spent and ${held} held of ${limit.cap}`);
    } else if (limit.measure === "slots") demand(this.shadow.slots(limit) <= limit.cap, () => `7.4: ${nameOf(limit)}: ${this.shadow.slots(limit)} in flight`);
    else if (limit.measure === "requests") demand(this.shadow.requests(limit, this.machine.monotonicMs, 60_000) <= limit.cap, () => `7.1: ${nameOf(limit)} is passed`);
  }

  /** GATE 3.1: nothing is refused that fits, and a refusal's figures are true. */
  private onRefused(call: Call, { limit, outcome, spent, held, needed }: Refusal): void {
    // A window that ended while the ledger took an hour to answer is forgotten.
    if (spanAt(limit.window.kind === "aligned" ? limit.window : LIFETIME, call.at).end <= this.clock.now() - 3_600_000) return;
    const figures = `${outcome} by ${nameOf(limit)}: spent ${spent}, held ${held}, needed ${needed} of ${limit.cap}`;
    const monotonic = this.machine.monotonicMs;
    if (limit.measure === "nanoUsd") {
      const shadow = this.shadow.standing(limit, call.at);
      demand(shadow.spent === spent && shadow.held === held, () => `4.6: ${figures}; the records say ${shadow.spent} and ${shadow.held}`);
      demand(outcome === "budget_held" ? spent + needed <= limit.cap : outcome === "budget_exceeded", () => `3.1: ${figures}`);
      demand(spent + (outcome === "budget_held" ? held : 0n) + needed > limit.cap, () => `3.1, refused though it fits: ${figures}`);
    } else if (limit.measure === "slots") {
      demand(this.shadow.slots(limit) === held && (held >= limit.cap), () => `7.4: ${figures}; ${this.shadow.slots(limit)} are in flight`);
    } else if (limit.measure === "requests") {
      demand(this.shadow.requests(limit, monotonic, 60_250) >= spent && spent + needed > limit.cap, () => `7.1: ${figures}; ${this.shadow.requests(limit, monotonic, 60_250)} were admitted`);
    } else demand(outcome === "request_exceeds_tpm" ? needed > limit.cap : spent + needed > limit.cap, () => `7.2: ${figures}`);
  }

  private limitsFor(scopes: readonly Scope[]): Limit[] {
    const limits: Limit[] = [];
    for (const scope of scopes) {
      const add = (measure: Measure, window: WindowSpec, cap: number, hard = true, model?: string): void => { limits.push({ scope, model, measure, window, cap: BigInt(cap), hard, windowText: undefined }); };
      if (this.chance(0.7)) add("nanoUsd", this.pick(WINDOWS), 100_000 + this.below(3_000_000));
      if (this.chance(0.4)) add("nanoUsd", this.pick(WINDOWS), 100_000 + this.below(9_000_000), true, this.chance(0.5) ? "any" : undefined);
      if (this.chance(0.2)) add("nanoUsd", this.pick(WINDOWS), 50_000 + this.below(500_000), false);
      if (this.chance(0.2)) add("requests", MINUTE_SLIDING, 3 + this.below(20));
      if (this.chance(0.2)) add("tokens", MINUTE_SLIDING, 500 + this.below(5_000));
      if (this.chance(0.2)) add("slots", NOW, 1 + this.below(6));
    }
    return limits;
  }

  private below(limit: number): number { return Math.floor(this.random() * limit); }
  private chance(of: number): boolean { return this.random() < of; }
  private pick<Item>(items: readonly Item[]): Item { return items[this.below(items.length)] as Item; }
}

function nameOf({ scope, model, measure, window, hard }: Limit): string {
  return `${hard ? "" : "soft "}${measure} of ${scopeText(scope)}${model === undefined ? "" : ` for ${model}`} (${JSON.stringify(window)})`;
}

/** Lets every promise that can go on do so; timers and turns of the event loop stay where they are. */
async function settled(): Promise<void> {
  for (let i = 0; i < 40; i += 1) await undefined;
}
