import type { AuditReport } from "../../domain/ledger/store.ts";
import { count, dollars } from "./amounts.ts";
import { wrapped } from "./table.ts";
import { styled, wantsJson, writeJson, type Terminal } from "./terminal.ts";

/** Prints what an audit found. @param against what the ledger was compared with @returns whether the books agree */
export function printAudit(terminal: Terminal, report: AuditReport, against: "live" | "offline", options: { readonly json?: boolean | undefined }): boolean {
  if (wantsJson(terminal, options)) {
    writeJson(terminal, { ...report, counters: against });
    return report.agree;
  }
  const compared = against === "live" ? "ledger, balances, roll-ups and the running gateway's counters" : "ledger, balances and roll-ups";
  const verdict = report.agree ? styled(terminal, "green", "The books agree.") : styled(terminal, "red", "The books do not agree.");
  const detail = report.agree ? `${count(report.entries)} entries, ${dollars(BigInt(report.totalNanoUsd))}. Counted again: ${compared}.` : String(report.firstDifference);
  terminal.out(`${verdict}\n${wrapped(detail, terminal.columns).join("\n")}\n`);
  return report.agree;
}
