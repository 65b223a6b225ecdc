import { DIMENSIONS, KIND_OF, type CostFilter, type Dimension } from "../../../domain/analytics/dimension.ts";

/** Conditions on `entries` that say what `matches` of the domain says, with the values of their marks. */
export interface Conditions {
  readonly texts: readonly string[];
  readonly values: readonly string[];
}

export function conditionsOf(filter: CostFilter): Conditions {
  const texts: string[] = [];
  const values: string[] = [];
  for (const dimension of DIMENSIONS) {
    const wanted = filter[dimension];
    if (wanted === undefined) continue;
    const { text, value } = conditionOf(dimension, wanted);
    texts.push(text);
    if (value !== undefined) values.push(value);
  }
  return { texts, values };
}

function conditionOf(dimension: Dimension, wanted: string | null): { text: string; value?: string } {
  switch (dimension) {
    case "model":
    case "provider":
      return wanted === null ? { text: "0" } : { text: `${dimension} = ?`, value: wanted };
    case "user":
      return wanted === null ? { text: "customer IS NULL" } : { text: "customer = ?", value: wanted };
    case "tag":
      return wanted === null ? { text: "coalesce(tags, '[]') = '[]'" } : { text: "EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE tag.value = ?)", value: wanted };
    default: {
      if (wanted === null) return { text: `instr(',' || scopes, ',${KIND_OF[dimension]}:') = 0` };
      // The key has an index; what it is charged under is the same id.
      return dimension === "key" ? { text: "key_id = ?", value: wanted } : { text: "instr(',' || scopes || ',', ',' || ? || ',') > 0", value: `${KIND_OF[dimension]}:${wanted}` };
    }
  }
}
