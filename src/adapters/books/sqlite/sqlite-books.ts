import { performance } from "node:perf_hooks";
import type { Clock } from "../../../base/clock.ts";
import { TollgateError } from "../../../base/errors.ts";
import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { AttemptFacts, Charge, Entry } from "../../../domain/ledger/entry.ts";
import type { Ask } from "../../../domain/limits/ask.ts";
import type { Books, CounterStanding, OpenAttempt, Opening } from "../../../domain/limits/books.ts";
import type { ChargeSet, Limit } from "../../../domain/limits/limit.ts";
import { scopeText, type Scope } from "../../../domain/scopes/scope.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import { LIFETIME, type WindowSpec } from "../../../domain/windows/window.ts";
import { Admission, type Admitted } from "./admission.ts";
import { Attempts, heldTally } from "./attempts.ts";
import { counterAt, familyKey } from "./families.ts";
import type { LedgerFile } from "./ledger-file.ts";
import { sweepDead } from "./sweep.ts";
import type { Owners } from "./owners.ts";
import { Turns, type Operation } from "./turns.ts";

/** A clock that can be told what time it already was; `SteadyClock` is one. */
export type BooksClock = Clock & { atLeast?(epochMs: number): void };

const SWEEP_AGAIN_MS = 100;

interface SharedAttempt extends Admitted {
  softCrossed: readonly Limit[];
}

/**
 * Books in one SQLite file that several processes share. Each writes holds, entries, balances and roll-ups in
 * transactions of its own; the hold's row is the journal (GATE 1.4).
 */
export class SqliteBooks implements Books {
  private readonly clock: BooksClock;
  private readonly ledger: LedgerFile;
  private readonly owners: Owners;
  private readonly attempts: Attempts;
  private readonly admission: Admission;
  private readonly turns: Turns;
  /** What an open attempt was admitted with. */
  private readonly charged = new WeakMap<OpenAttempt, readonly ChargeSet[]>();
  private sweptAt = -Infinity;
  /** Costs above their holds, counted for the metrics. */
  overages = 0;

  /** @param committed called after each transaction that wrote */
  constructor(options: { clock: BooksClock; ledger: LedgerFile; owners: Owners; committed: () => void }) {
    this.clock = options.clock;
    this.ledger = options.ledger;
    this.owners = options.owners;
    this.attempts = new Attempts(options.ledger);
    this.admission = new Admission(options.ledger, this.attempts, options.owners.id);
    // A process with a clock behind the others must not write into windows that have ended (GATE 6.4).
    this.turns = new Turns(options.ledger, () => this.clock.atLeast?.(this.ledger.newestAt), options.committed);
  }

  open(ask: Ask, facts: AttemptFacts, charges: readonly ChargeSet[], then: (opening: Opening) => void): void {
    this.turns.add({
      writes: true,
      run: () => {
        const result = this.admission.open(ask, facts, charges, this.clock.now(), () => this.sweep());
        if ("refusal" in result) return () => then({ kind: "refused", refusal: result.refusal });
        const attempt: SharedAttempt = { ...result.attempt, softCrossed: this.admission.softCrossed(facts, charges) };
        this.charged.set(attempt, charges);
        return () => then({ kind: "open", attempt });
      },
      failed: (error) => {
        then({ kind: "failed", error: unwritable(error) });
        return false;
      },
    });
  }

  close(attempt: OpenAttempt, charge: Charge, then: (error: Error | undefined) => void): void {
    const charges = this.charged.get(attempt);
    // Exactly once: a second settlement of the same attempt changes nothing.
    if (charges === undefined) {
      then(undefined);
      return;
    }
    this.charged.delete(attempt);
    const { facts, hold } = attempt;
    if (charge.cost > hold.nanoUsd) this.overages += 1;
    this.mustLand(() => {
      this.attempts.settle(facts, hold.nanoUsd, charge);
      const softCrossed = this.admission.softCrossed(facts, charges);
      return () => { (attempt as SharedAttempt).softCrossed = softCrossed; };
    }, then);
  }

  post(entry: Entry, charges: readonly ChargeSet[], then: (error: Error | undefined, posted: boolean) => void): void {
    let posted = false;
    this.mustLand(() => {
      for (const { limits } of charges) for (const limit of limits) if (isWindow(limit)) this.attempts.register(limit, this.clock.now());
      const added = this.attempts.post(entry);
      if (added && entry.kind === "charge") this.attempts.meter(entry);
      return () => { posted = added; };
    }, (error) => then(error, posted));
  }

  standing(scope: Scope, model: string | undefined, window: WindowSpec, then: (error: Error | undefined, standing: CounterStanding) => void): void {
    this.turns.add({
      writes: false,
      run: () => {
        const standing = this.standingNow(scope, model, window);
        return () => then(undefined, standing);
      },
      failed: (error) => {
        then(unwritable(error), { spent: 0n, held: 0n, lifetime: 0n });
        return false;
      },
    });
  }

  seed(limits: readonly Limit[], then: (error: Error | undefined) => void): void {
    this.turns.add({
      writes: true,
      run: () => {
        for (const limit of limits) if (isWindow(limit)) this.attempts.register(limit, this.clock.now());
        return () => then(undefined);
      },
      failed: (error) => {
        then(unwritable(error));
        return false;
      },
    });
  }

  /** Resolves once everything so far is committed. @throws what keeps it from being written; it is tried on */
  async settled(): Promise<void> {
    try {
      await this.turns.idle();
    } catch (error) {
      throw unwritable(error as Error);
    }
  }

  /** How often another process had the file. */
  get busyCount(): number {
    return this.turns.busyCount;
  }

  /** What is owed is tried until it is written; its caller hears of the first failure only. */
  private mustLand(run: Operation["run"], then: (error: Error | undefined) => void): void {
    let answered = false;
    const answer = (error: Error | undefined): void => {
      if (answered) return;
      answered = true;
      then(error);
    };
    this.turns.add({
      writes: true,
      run: () => {
        const after = run();
        return () => {
          after();
          answer(undefined);
        };
      },
      failed: (error) => {
        answer(unwritable(error));
        return true;
      },
    });
  }

  private standingNow(scope: Scope, model: string | undefined, window: WindowSpec): CounterStanding {
    return { ...this.counterNow(scope, model, window), lifetime: this.counterNow(scope, model, LIFETIME).spent };
  }

  private counterNow(scope: Scope, model: string | undefined, window: WindowSpec): { spent: bigint; held: bigint } {
    const text = scopeText(scope);
    const now = this.clock.now();
    const family = this.ledger.families.get(familyKey(text, model, "nanoUsd", window), text);
    if (family !== undefined) return { spent: this.ledger.moneyAt(family, now).spent, held: this.ledger.tallies.get(heldTally(counterAt(family, now).id)) };
    const { start, end } = spanAt(window, now);
    const spent = this.ledger.unregistered(text, model, counterId(scope, model, window, start), start, end);
    return { spent, held: this.attempts.heldIn(text, model, start, end) };
  }

  /** Not for every refusal of a busy moment: who lives is asked ten times a second at most. */
  private sweep(): boolean {
    const now = performance.now();
    if (now - this.sweptAt < SWEEP_AGAIN_MS) return false;
    this.sweptAt = now;
    return sweepDead(this.ledger, this.attempts, this.owners) > 0;
  }
}

/** Limits with counters of their own for each window; rates of the last seconds are counted where they are asked for. */
function isWindow({ window }: Limit): boolean {
  return window.kind === "lifetime" || window.kind === "aligned";
}

function unwritable(error: Error): TollgateError {
  if (error instanceof TollgateError) return error;
  return new TollgateError("journal_unavailable", `The ledger cannot be written (${error.message}), so nothing new is sent; costs that are owed are kept and tried again. Free space on its disk, or end the program that locks it.`, { cause: error });
}
