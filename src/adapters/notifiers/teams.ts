import type { Message } from "../../domain/alerts/message.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import { cut } from "./cut.ts";
import { readAddress, readChannel, type ChannelOptions } from "./options.ts";
import { postJson } from "./post-json.ts";

export interface TeamsOptions extends ChannelOptions {
  /** The address of a workflow "when a Teams webhook request is received": a secret. */
  readonly url: string | undefined;
}

/**
 * Microsoft Teams, through a workflow's webhook; sends an Adaptive Card.
 * @throws TollgateError `invalid_request`
 * @example teams({ url: process.env.TEAMS_WEBHOOK_URL })
 */
export function teams(options: TeamsOptions): Notifier {
  const { name, timeoutMs } = readChannel(options, "teams");
  const url = readAddress(options.url, "teams");
  // Old connectors answer 200 and say the failure in the text.
  const failureIn = (text: string): boolean => /\bfailed\b|HTTP error \d/i.test(text);
  return { name, send: (message, signal) => postJson({ url, body: JSON.stringify(teamsBody(message)), timeoutMs, signal, failureIn }) };
}

/** Text blocks and facts of cards read Markdown; runs of rich text do not, so names from outside stay as they are. */
export function teamsBody({ severity, title, text, facts }: Message): unknown {
  const colour = { info: "accent", warning: "warning", critical: "attention" }[severity];
  const line = (runs: readonly object[]): object => ({ type: "RichTextBlock", inlines: runs.map((run) => ({ type: "TextRun", ...run })) });
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json", type: "AdaptiveCard", version: "1.4",
    body: [
      line([{ text: cut(title, 300), size: "large", weight: "bolder", color: colour }]),
      line([{ text: cut(text, 3_000) }]),
      ...facts.slice(0, 25).map(([name, value]) => line([{ text: `${cut(name, 100)}: `, weight: "bolder" }, { text: cut(value, 500) || "-" }])),
    ],
  };
  return { type: "message", attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content }] };
}
