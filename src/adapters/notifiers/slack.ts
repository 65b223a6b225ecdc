import type { Message } from "../../domain/alerts/message.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import { cut } from "./cut.ts";
import { readAddress, readChannel, type ChannelOptions } from "./options.ts";
import { postJson } from "./post-json.ts";

export interface SlackOptions extends ChannelOptions {
  /** The incoming webhook of an app, `https://hooks.slack.com/services/…`: a secret. */
  readonly url: string | undefined;
}

const FIELDS_MAX = 10;

/**
 * Slack, through an incoming webhook.
 * @throws TollgateError `invalid_request`
 * @example slack({ url: process.env.SLACK_WEBHOOK_URL })
 */
export function slack(options: SlackOptions): Notifier {
  const { name, timeoutMs } = readChannel(options, "slack");
  const url = readAddress(options.url, "slack");
  return { name, send: (message, signal) => postJson({ url, body: JSON.stringify(slackBody(message)), timeoutMs, signal }) };
}

/** `text` is what notifications show; the blocks are the message itself. */
export function slackBody({ severity, title, text, facts }: Message): unknown {
  const mark = { info: ":bar_chart:", warning: ":warning:", critical: ":rotating_light:" }[severity];
  const fields = facts.slice(0, FIELDS_MAX).map(([name, value]) => ({ type: "plain_text", text: cut(`${name}: ${value}`, 2_000), emoji: false }));
  return {
    text: cut(`${mark} ${escaped(title)}: ${escaped(text)}`, 3_000),
    blocks: [
      { type: "header", text: { type: "plain_text", text: cut(title, 150), emoji: false } },
      { type: "section", text: { type: "plain_text", text: cut(text, 3_000), emoji: false } },
      ...(fields.length === 0 ? [] : [{ type: "section", fields }]),
    ],
  };
}

/** What Slack reads as mentions, links and entities begins with these; `*_~` and back quotes only look different between words, so they get a space of no width. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(/[*_~`]/g, "\u200B$&\u200B");
}
