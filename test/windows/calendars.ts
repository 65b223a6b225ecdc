/** A second, slow reading of wall calendars to hold the real one against. */
export const ZONES = [
  "UTC",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/New_York",
  "America/Havana",
  "Africa/Cairo",
  "Pacific/Apia",
  "America/St_Johns",
  "America/Santiago",
  "Asia/Beirut",
  "Africa/Monrovia",
  "America/Toronto",
  "Pacific/Kwajalein",
  "Asia/Tehran",
] as const;

const HOUR_MS = 3_600_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** `YYYY-MM-DD` on a wall calendar, by the Swedish locale, which writes dates so. */
export function wallDate(epochMs: number, zone: string): string {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(zone, format);
  }
  return format.format(epochMs);
}

/** Instants (first millisecond of the new offset) at which the zone's clocks change between two instants; two changes within one step may be missed. */
export function clockChanges(zone: string, from: number, to: number, stepMs = 12 * HOUR_MS): number[] {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const offsetAt = (epochMs: number) => Date.parse(`${format.format(epochMs).replace(" ", "T")}Z`) - Math.floor(epochMs / 1_000) * 1_000;
  const changes: number[] = [];
  for (let at = from; at < to; at += stepMs) {
    let before = at;
    let after = at + stepMs;
    const old = offsetAt(before);
    if (offsetAt(after) === old) continue;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offsetAt(middle) === old) before = middle;
      else after = middle;
    }
    changes.push(after);
  }
  return changes;
}
