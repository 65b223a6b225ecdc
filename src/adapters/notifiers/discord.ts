import type { Message } from "../../domain/alerts/message.ts";
import type { Notifier } from "../../domain/alerts/notifier.ts";
import { cut } from "./cut.ts";
import { readAddress, readChannel, type ChannelOptions } from "./options.ts";
import { postJson } from "./post-json.ts";

export interface DiscordOptions extends ChannelOptions {
  /** The webhook of a Discord channel, `https://discord.com/api/webhooks/…`: a secret. */
  readonly url: string | undefined;
}

const FIELDS_MAX = 25;
const COLOURS = { info: 0x3b82f6, warning: 0xf59e0b, critical: 0xdc2626 } as const;

/**
 * Discord, through a channel's webhook.
 * @throws TollgateError `invalid_request`
 * @example discord({ url: process.env.DISCORD_WEBHOOK_URL })
 */
export function discord(options: DiscordOptions): Notifier {
  const { name, timeoutMs } = readChannel(options, "discord");
  const url = readAddress(options.url, "discord");
  return { name, send: (message, signal) => postJson({ url, body: JSON.stringify(discordBody(message)), timeoutMs, signal }) };
}

export function discordBody({ severity, title, text, facts, at }: Message): unknown {
  return {
    // Whatever a user calls itself, nobody is woken by a name.
    allowed_mentions: { parse: [] },
    embeds: [{
      title: cut(escaped(title), 256), description: cut(escaped(text), 3_000), color: COLOURS[severity], timestamp: at,
      fields: facts.slice(0, FIELDS_MAX).map(([name, value]) => ({ name: cut(escaped(name), 100), value: cut(escaped(value), 120) || "-", inline: true })),
    }],
  };
}

function escaped(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<@:-]/g, "\\$&");
}
