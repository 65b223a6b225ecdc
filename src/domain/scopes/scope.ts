/** Who pays, or whose traffic is limited. A scope's id is our own ULID (or a name from the configuration), never reused. */
export type ScopeKind =
  | "global"
  | "organization"
  | "team"
  | "member"
  | "user"
  | "key"
  | "customer"
  | "deployment"
  | "provider"
  | "tag"
  | "session"
  | "process"
  /** One `withContext` of a program. */
  | "context"
  /** One call of a program, all its attempts. */
  | "call";

export interface Scope {
  readonly kind: ScopeKind;
  /** `""` for global. */
  readonly id: string;
  /** What a person calls it: an alias or the wire id. Shown in messages, never part of an identity. */
  readonly label: string;
}

export const GLOBAL_SCOPE: Scope = { kind: "global", id: "", label: "global" };

/** The scope as one text, its identity in counters and roll-ups. @example scopeText({ kind: "key", id: "01J…", label: "ci" }) // "key:01J…" */
export function scopeText(scope: { kind: ScopeKind; id: string }): string {
  return scope.kind === "global" ? "global" : `${scope.kind}:${scope.id}`;
}

/** The scope that a text names; its label is that text. @example scopeFromText("key:01J…") // { kind: "key", id: "01J…", … } */
export function scopeFromText(text: string): Scope {
  const colon = text.indexOf(":");
  return colon === -1 ? GLOBAL_SCOPE : { kind: text.slice(0, colon) as ScopeKind, id: text.slice(colon + 1), label: text };
}
