/** The known name that an unknown one most probably means; `undefined` if none is near. @example nearestName("max_buget", ["max_budget"]) // "max_budget" */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 80) return undefined;
  const plain = normal(name);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(plain.length / 4)) + 1;
  for (const candidate of known) {
    const steps = distance(plain, normal(candidate));
    if (steps < bestDistance) {
      bestDistance = steps;
      best = candidate;
    }
  }
  return best;
}

function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, "");
}

/** Insertions, deletions and replacements between two words. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
