/** A key of the demo's company and how it is used. */
export interface DemoKey {
  readonly alias: string;
  readonly team: string;
  /** Models in use, the first most of the time. */
  readonly models: readonly [string, ...string[]];
  readonly requestsPerMinute: number;
  /** The share of requests that are streamed, 0 to 1. */
  readonly streams: number;
  readonly prompts: readonly [string, ...string[]];
  /** Bytes of context that go with a prompt: documents, a conversation. */
  readonly contextBytes: number;
  readonly maxTokens?: number;
  /** Dollars for each minute of the demo: small ones are spent before its end. */
  readonly budgetPerMinute?: number;
  readonly rpm?: number;
  /** The requests name customers. */
  readonly customers?: boolean;
}

export interface DemoTeam {
  readonly id: string;
  readonly name: string;
  readonly budget: number;
}

export const TEAMS: readonly DemoTeam[] = [
  { id: "search", name: "Search", budget: 25 },
  { id: "support", name: "Support", budget: 25 },
  { id: "research", name: "Research", budget: 10 },
  { id: "growth", name: "Growth", budget: 5 },
];

export const CUSTOMERS = ["acme", "globex", "initech", "umbrella", "hooli"] as const;

/** The one customer with a budget; it is spent before the demo ends. */
export const LIMITED_CUSTOMER = { id: "hooli", budgetPerMinute: 0.008 } as const;

const QUESTIONS = ["Which of these results answers the question best?", "Rank these passages.", "Rewrite this query so that it finds more."] as const;
const TICKETS = ["My invoice is wrong, can you check it?", "How do I change my plan?", "The export has been stuck for an hour.", "Please close my account."] as const;
const STUDIES = ["Compare these two experiments.", "Write the related-work section.", "What would disprove this hypothesis?"] as const;
const LETTERS = ["Write a short announcement.", "Give me five subject lines.", "Make this friendlier."] as const;

export const KEYS: readonly DemoKey[] = [
  { alias: "search-ranking", team: "search", models: ["gpt-4o-mini"], requestsPerMinute: 70, streams: 0, prompts: QUESTIONS, contextBytes: 4_000, maxTokens: 120 },
  { alias: "search-answers", team: "search", models: ["gpt-4.1-mini", "gpt-4o-mini"], requestsPerMinute: 35, streams: 0.9, prompts: QUESTIONS, contextBytes: 6_000 },
  { alias: "support-chat", team: "support", models: ["claude-sonnet-4-5", "gpt-4o"], requestsPerMinute: 30, streams: 1, prompts: TICKETS, contextBytes: 1_500, customers: true },
  { alias: "support-triage", team: "support", models: ["gpt-4o-mini"], requestsPerMinute: 40, streams: 0, prompts: TICKETS, contextBytes: 400, maxTokens: 40, customers: true },
  { alias: "research-notebook", team: "research", models: ["gpt-4o", "claude-sonnet-4-5"], requestsPerMinute: 20, streams: 0.5, prompts: STUDIES, contextBytes: 3_000, budgetPerMinute: 0.02 },
  { alias: "research-batch", team: "research", models: ["gemini-2.5-flash"], requestsPerMinute: 45, streams: 0, prompts: STUDIES, contextBytes: 2_000, rpm: 30 },
  { alias: "growth-letters", team: "growth", models: ["gpt-4o"], requestsPerMinute: 12, streams: 0.3, prompts: LETTERS, contextBytes: 300 },
  { alias: "growth-intern", team: "growth", models: ["gpt-4o-mini", "gpt-4o"], requestsPerMinute: 25, streams: 0.3, prompts: LETTERS, contextBytes: 200, budgetPerMinute: 0.006 },
];
