/** The wall clock of a zone. @example localTime(Date.UTC(2026, 10, 24, 15, 30), "Asia/Kathmandu") // "2026-11-24 21:15:00" */
export function localTime(epochMs: number, timeZone = "UTC"): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(epochMs);
}
