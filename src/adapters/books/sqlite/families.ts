import type { DatabaseSync, StatementSync } from "node:sqlite";
import { counterId } from "../../../domain/ledger/counter-id.ts";
import type { Limit, Measure } from "../../../domain/limits/limit.ts";
import { scopeFromText } from "../../../domain/scopes/scope.ts";
import { spanAt } from "../../../domain/windows/span.ts";
import { LIFETIME, type WindowSpan, type WindowSpec } from "../../../domain/windows/window.ts";

/** The counters of one scope, model, measure and window spec: one for each window. */
export interface Family {
  readonly key: string;
  readonly scope: string;
  readonly model: string | undefined;
  readonly measure: Measure;
  readonly spec: WindowSpec;
  readonly specText: string;
  /** The window asked for last: admissions rarely leave it. */
  latest: { readonly id: string; readonly span: WindowSpan } | undefined;
}

interface FamilyRow {
  readonly family: string;
  readonly scope: string;
  readonly model: string | null;
  readonly measure: Measure;
  readonly spec: string;
}

/**
 * The counters that an attempt moves are a matter of the file, not of the process: every program moves all of a
 * scope's counters, also those of limits that only another program knows.
 */
export class Families {
  private readonly select: StatementSync;
  private readonly insert: StatementSync;
  private readonly byScope = new Map<string, Family[]>();
  private readonly byKey = new Map<string, Family>();

  constructor(database: DatabaseSync) {
    this.select = database.prepare("SELECT family, scope, model, measure, spec FROM counters WHERE scope = ?");
    this.insert = database.prepare("INSERT INTO counters VALUES (?, ?, ?, ?, ?)");
  }

  /** All counters of a scope; its lifetime without a model is always among them. */
  of(scope: string): readonly Family[] {
    return this.load(scope);
  }

  get(key: string, scope: string): Family | undefined {
    this.load(scope);
    return this.byKey.get(key);
  }

  /** Call it inside a transaction that writes, if `get` has none. */
  register(key: string, scope: string, { model, measure, window }: Pick<Limit, "model" | "measure" | "window">): Family {
    const specText = JSON.stringify(window);
    this.insert.run(key, scope, model ?? null, measure, specText);
    return this.remember(this.load(scope), { family: key, scope, model: model ?? null, measure, spec: specText });
  }

  /** Another program has registered a family, or a transaction was undone. */
  forget(): void {
    this.byScope.clear();
    this.byKey.clear();
  }

  private load(scope: string): Family[] {
    const known = this.byScope.get(scope);
    if (known !== undefined) return known;
    const families: Family[] = [];
    this.remember(families, { family: lifetimeKey(scope), scope, model: null, measure: "nanoUsd", spec: JSON.stringify(LIFETIME) });
    for (const row of this.select.all(scope) as unknown as FamilyRow[]) if (!this.byKey.has(row.family)) this.remember(families, row);
    if (this.byScope.size > 20_000) this.forget();
    this.byScope.set(scope, families);
    return families;
  }

  private remember(families: Family[], row: FamilyRow): Family {
    const family: Family = {
      key: row.family, scope: row.scope, model: row.model ?? undefined, measure: row.measure, spec: JSON.parse(row.spec) as WindowSpec, specText: row.spec, latest: undefined,
    };
    families.push(family);
    this.byKey.set(row.family, family);
    return family;
  }
}

/** The same for every spelling of a window (`24h`, `1d`), as counters are. */
export function familyKey(scope: string, model: string | undefined, measure: Measure, spec: WindowSpec): string {
  const id = counterId(scopeFromText(scope), model, spec, 0);
  return measure === "nanoUsd" ? id : `${measure}|${id}`;
}

function lifetimeKey(scope: string): string {
  return familyKey(scope, undefined, "nanoUsd", LIFETIME);
}

/** The counter of the window that an instant falls into. */
export function counterAt(family: Family, at: number): { readonly id: string; readonly span: WindowSpan } {
  const { latest } = family;
  if (latest !== undefined && at >= latest.span.start && at < latest.span.end) return latest;
  const span = spanAt(family.spec, at);
  const id = counterId(scopeFromText(family.scope), family.model, family.spec, span.start);
  const counter = { id: family.measure === "nanoUsd" ? id : `${family.measure}|${id}`, span };
  // A settlement from an earlier window must not push the current one out.
  if (latest === undefined || span.start > latest.span.start) family.latest = counter;
  return counter;
}
