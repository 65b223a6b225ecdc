export { discord, type DiscordOptions } from "./adapters/notifiers/discord.ts";
export { email, type EmailOptions } from "./adapters/notifiers/email.ts";
export { slack, type SlackOptions } from "./adapters/notifiers/slack.ts";
export { teams, type TeamsOptions } from "./adapters/notifiers/teams.ts";
export { webhook, type WebhookOptions } from "./adapters/notifiers/webhook.ts";
export type { Message } from "./domain/alerts/message.ts";
export type { Notifier, SendResult } from "./domain/alerts/notifier.ts";
