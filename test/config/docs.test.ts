import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CUSTOM_PRICE_FIELDS } from "../../src/adapters/prices/custom-price.ts";
import { SECTIONS, type FieldFate } from "../../src/app/config/fields.ts";

const TITLES: Readonly<Record<keyof typeof SECTIONS, string>> = {
  top: "The file",
  model: "`model_list[]`",
  params: "`model_list[].litellm_params`",
  info: "`model_list[].model_info`",
  litellm: "`litellm_settings`",
  general: "`general_settings`",
  router: "`router_settings`",
  tollgate: "`tollgate`",
  provider: "`tollgate.providers.NAME`",
  monitor: "`tollgate.monitor`",
  monitorBudget: "`tollgate.monitor.budgets[]`",
  monitorChannel: "`tollgate.monitor.channels[]`",
};
const chapters = new Map(readFileSync("docs/config.md", "utf8").split(/^## /m).slice(1).map((chapter): [string, string] => {
  const end = chapter.indexOf("\n");
  return [chapter.slice(0, end), chapter.slice(end)];
}));

/** Every `fate name` that a chapter promises. */
function promised(title: string): Set<string> {
  const text = chapters.get(title) ?? "";
  const names: string[] = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => `read ${match[1]}`);
  for (const [word, fate] of [["Read", "read"], ["Ignored", "idle"], ["Refused", "refused"]] as const) {
    const line = new RegExp(`^${word}: (.*)$`, "m").exec(text)?.[1] ?? "";
    names.push(...[...line.matchAll(/`([^`]+)`/g)].map((match) => `${fate} ${match[1]}`));
  }
  return new Set(names);
}

const lines = (table: Iterable<readonly [string, FieldFate]>): Set<string> => new Set([...table].map(([name, fate]) => `${fate} ${name}`));
const prices = new Set(CUSTOM_PRICE_FIELDS);

it.each(Object.keys(SECTIONS) as (keyof typeof SECTIONS)[])("docs/config.md says what becomes of every name of %s, and of no other", (section) => {
  expect(promised(TITLES[section])).toEqual(lines([...SECTIONS[section]].filter(([name]) => !prices.has(name))));
});

it("docs/config.md lists the price fields, and they mean the same in litellm_params and model_info", () => {
  const fields = (table: Iterable<readonly [string, FieldFate]>): Set<string> => lines([...table].filter(([name]) => prices.has(name)));
  expect(promised("Price fields")).toEqual(fields(SECTIONS.params));
  expect(fields(SECTIONS.info)).toEqual(fields(SECTIONS.params));
});
