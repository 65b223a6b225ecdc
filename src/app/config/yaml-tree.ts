import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";

/** A number as it was written: an amount of money never becomes a float. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Plain YAML; mappings are `Map`s, so that no key can reach a prototype. */
export type Tree = string | boolean | null | NumberText | readonly Tree[] | TreeMap;
export type TreeMap = ReadonlyMap<string, Tree>;

const NODES_MAX = 100_000;
const DEPTH_MAX = 32;

/**
 * Reads YAML. Problems name code and place only, never the text around it: that may be a secret.
 * @param problem called for each problem
 * @returns `undefined` if there were problems
 */
export function readTree(text: string, problem: (sentence: string) => void): Tree | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, uniqueKeys: true, version: "1.2" });
  for (const error of document.errors) {
    const place = lines.linePos(error.pos[0]);
    problem(`line ${place.line}, column ${place.col}: the YAML is malformed (${error.code.toLowerCase().replaceAll("_", " ")}).`);
  }
  if (document.errors.length > 0) return undefined;
  try {
    return new TreeReader(document).read(document.contents as Node | null, 0);
  } catch (error) {
    if (!(error instanceof TreeError)) throw error;
    problem(`the YAML: ${error.message}`);
    return undefined;
  }
}

class TreeError extends Error {}

class TreeReader {
  private readonly document: Document;
  private nodes = 0;

  constructor(document: Document) {
    this.document = document;
  }

  read(node: Node | null, depth: number): Tree {
    this.nodes += 1;
    if (this.nodes > NODES_MAX || depth > DEPTH_MAX) throw new TreeError(`it is too large or too deep (aliases count each time; at most ${NODES_MAX} values, ${DEPTH_MAX} levels).`);
    if (node === null) return null;
    if (isAlias(node)) {
      const target = node.resolve(this.document as Parameters<typeof node.resolve>[0]);
      if (target === undefined) throw new TreeError("an alias (*name) has no anchor (&name) before it.");
      return this.read(target, depth + 1);
    }
    if (isSeq(node)) return node.items.map((item) => this.read(item as Node | null, depth + 1));
    if (isMap(node)) return this.readMap(node.items as readonly { key: unknown; value: unknown }[], depth);
    if (!isScalar(node)) return null;
    const { value } = node;
    if (typeof value === "number" || typeof value === "bigint") return new NumberText(node.source ?? String(value));
    return typeof value === "string" || typeof value === "boolean" ? value : null;
  }

  private readMap(items: readonly { key: unknown; value: unknown }[], depth: number): TreeMap {
    const map = new Map<string, Tree>();
    const merged: Tree[] = [];
    for (const { key, value } of items) {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : undefined;
      if (name === undefined) throw new TreeError("a key of a mapping must be plain text.");
      const tree = this.read(value as Node | null, depth + 1);
      if (name === "<<") merged.push(...(Array.isArray(tree) ? (tree as Tree[]) : [tree]));
      else map.set(name, tree);
    }
    for (const source of merged) {
      if (!(source instanceof Map)) continue;
      for (const [name, tree] of source as TreeMap) if (!map.has(name)) map.set(name, tree);
    }
    return map;
  }
}
