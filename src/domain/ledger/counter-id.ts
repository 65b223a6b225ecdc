import { scopeText, type Scope } from "../scopes/scope.ts";
import { windowText } from "../windows/window-text.ts";
import type { WindowSpec } from "../windows/window.ts";

/**
 * The identity of a money counter: scope, model, window spec and window start (GATE 1.2), joined by `|`. Scopes and
 * models never contain `|` unescaped.
 */
export function counterId(scope: Scope, model: string | undefined, spec: WindowSpec, start: number): string {
  return `${scopeText(scope)}|${model === undefined ? "*" : encodeURIComponent(model)}|${windowText(spec, start)}`;
}
