/** The largest rows of a ranking, and the rest as one. */
export interface Largest<Row> {
  readonly rows: readonly Row[];
  readonly rest: readonly Row[];
}

/**
 * Keeps the dearest rows; the tail is given apart, to be shown as one row "other (n)". A tail of one row is that row.
 * @param rows in any order
 */
export function largest<Row>(rows: readonly Row[], most: number, costOf: (row: Row) => bigint): Largest<Row> {
  const costs = new Map(rows.map((row) => [row, costOf(row)]));
  const sorted = rows.toSorted((a, b) => {
    const difference = (costs.get(b) as bigint) - (costs.get(a) as bigint);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  });
  return sorted.length <= most ? { rows: sorted, rest: [] } : { rows: sorted.slice(0, most - 1), rest: sorted.slice(most - 1) };
}
