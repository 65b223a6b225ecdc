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

/** What the windows of one budget have in common: they follow each other under this name. */
export function counterName(scope: Scope, model: string | undefined, spec: WindowSpec): string {
  return nameInCounterId(counterId(scope, model, spec, 0));
}

/** The same from the identity of one window. Windows that never begin, as sliding ones, have their identity for a name. */
export function nameInCounterId(id: string): string {
  const window = id.lastIndexOf("|");
  const at = id.indexOf("@", window);
  return at === -1 ? id : id.slice(0, at);
}

/** The model in a counter's identity, `undefined` if it counts all of them. */
export function modelInCounterId(id: string): string | undefined {
  const text = id.split("|", 2)[1] ?? "*";
  return text === "*" ? undefined : decodeURIComponent(text);
}
