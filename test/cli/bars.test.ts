import { expect, test } from "vitest";
import { barLines } from "../../src/surfaces/cli/bars.ts";

const rows = [{ name: "gpt-4o", nanoUsd: 8_000n, amount: "$8.00" }, { name: "a-name-that-is-much-too-long-for-its-column\u001B[2J", nanoUsd: 1n, amount: "$0.01" }, { name: "none", nanoUsd: 0n, amount: "$0.00" }];

test.each([40, 80, 200])("bars of %i columns fill the line and never pass it; a little is drawn, nothing is not", (columns) => {
  for (const ascii of [false, true]) {
    const lines = barLines({ colour: false, columns }, rows, ascii);
    expect(lines.map((line) => [...line].length)).toEqual([columns, columns, columns]);
    expect(lines.map((line) => /[█▏#]/.test(line))).toEqual([true, true, false]);
    expect(lines.join("")).not.toContain("\u001B");
    if (ascii) expect(lines.join("")).toMatch(/^[ -~]+$/);
  }
  expect(barLines({ colour: true, columns }, rows)[0]).toContain("\u001B[36m");
});
