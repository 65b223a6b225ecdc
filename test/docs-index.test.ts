import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const pages = readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".md")).map((path) => path.replaceAll("\\", "/"));
const linksOf = (page: string): string[] => [...readFileSync(join("docs", page), "utf8").replaceAll(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target ?? "").filter((target) => !/^[a-z]+:/.test(target));

test("docs/README.md links every page under docs, once", () => {
  expect(pages.length).toBeGreaterThan(20);
  expect(linksOf("README.md").toSorted()).toEqual(pages.filter((page) => page !== "README.md").toSorted());
});

test("no page under docs links a file that is not there", () => {
  expect(pages.flatMap((page) => linksOf(page).filter((target) => !existsSync(join("docs", dirname(page), target))).map((target) => `${page}: ${target}`))).toEqual([]);
});
