/** Whether a list of models allows one: an empty list allows all, `provider/*` and `*` allow by beginning. */
export function allowsModel(models: readonly string[], model: string): boolean {
  if (models.length === 0) return true;
  return models.some((allowed) => allowed === model || allowed === "all-proxy-models" || (allowed.endsWith("*") && model.startsWith(allowed.slice(0, -1))));
}
