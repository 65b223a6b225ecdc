/** Scripts whose characters take two columns of a terminal, and pictures. */
const WIDE = /^[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uA960-\uA97F\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1F64F}\u{1F680}-\u{1F6FF}\u{1F900}-\u{1FAFF}\u{20000}-\u{3FFFD}]$/u;
/** Marks that stand on the character before, joiners and variation selectors. */
const NOTHING = /^[\p{Mn}\p{Me}\u200B-\u200D\uFE00-\uFE0F]$/u;

/** How many columns of a terminal a text takes. @example textColumns("模型-a") // 6 */
export function textColumns(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
}

/** The text within so many columns, its end given up for a mark where it is longer. @example cutToColumns("claude-sonnet", 8) // "claude-…" */
export function cutToColumns(text: string, most: number, mark = "…"): string {
  if (textColumns(text) <= most) return text;
  let kept = "";
  let columns = 0;
  for (const character of text) {
    columns += columnsOf(character);
    if (columns > most - mark.length) break;
    kept += character;
  }
  return `${kept}${mark}`;
}

function columnsOf(character: string): number {
  if (character < "\u0300") return 1;
  return NOTHING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}
