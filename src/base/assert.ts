/** States what must hold. A failure is a defect of Tollgate, never bad input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}

/** The compiler's proof that a union was handled to its end. */
export function unreachable(value: never): never {
  throw new Error(`Unreachable: ${String(value)}`);
}
