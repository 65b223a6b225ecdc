import type { Context, Hono } from "hono";
import { TollgateError } from "../../base/errors.ts";
import type { Identity } from "../../engine/manage/directory.ts";
import { invalid } from "../../engine/manage/read-fields.ts";
import { exactJson, readExactJson } from "../http/exact-json.ts";

export type Answer = Record<string, unknown> | readonly unknown[] | number;

export interface RouteTableOptions {
  readonly app: Hono;
  /** @throws TollgateError `missing_key`, `invalid_key`, `key_blocked`, `key_expired` */
  identify(headers: Headers): Identity;
  readonly bodyLimitBytes: number;
}

/** Puts routes on the app: who asks is known before anything is read, and amounts keep their digits on both ways. */
export class RouteTable {
  private readonly options: RouteTableOptions;

  constructor(options: RouteTableOptions) {
    this.options = options;
  }

  /** A change. For the master key only. */
  post(path: string, work: (body: Record<string, unknown>, context: Context) => Promise<Answer>): void {
    this.options.app.post(path, async (context) => {
      onlyMaster(this.identity(context));
      return reply(context, await work(await this.body(context), context));
    });
  }

  /** A change that any key may ask for; `work` decides about what. */
  postAsAnyone(path: string, work: (body: Record<string, unknown>, context: Context, identity: Identity) => Promise<Answer>): void {
    this.options.app.post(path, async (context) => {
      const identity = this.identity(context);
      return reply(context, await work(await this.body(context), context, identity));
    });
  }

  /** A look. For the master key only. */
  get(path: string, work: (context: Context) => Answer): void {
    this.getAsAnyone(path, (context, identity) => {
      onlyMaster(identity);
      return work(context);
    });
  }

  /** A look for any key; `work` decides what it may see. */
  getAsAnyone(path: string, work: (context: Context, identity: Identity) => Answer): void {
    this.options.app.get(path, (context) => reply(context, work(context, this.identity(context))));
  }

  private identity(context: Context): Identity {
    return this.options.identify(context.req.raw.headers);
  }

  private async body(context: Context): Promise<Record<string, unknown>> {
    const { bodyLimitBytes } = this.options;
    const declared = Number(context.req.header("content-length") ?? 0);
    const source = declared > bodyLimitBytes ? undefined : await context.req.arrayBuffer();
    if (source === undefined || source.byteLength > bodyLimitBytes) throw new TollgateError("body_too_large", `The body is larger than ${bodyLimitBytes} bytes. Send less.`);
    // A call that says everything in its path may come without a body.
    return source.byteLength === 0 ? {} : readExactJson(new TextDecoder().decode(source));
  }
}

/** @throws TollgateError `forbidden` */
function onlyMaster(identity: Identity): void {
  if (!identity.isMaster) throw new TollgateError("forbidden", "Only the master key may do this.");
}

function reply(context: Context, answer: Answer): Response {
  return context.body(exactJson(answer), 200, { "content-type": "application/json" });
}

export function requiredQuery(context: Context, name: string): string {
  const value = context.req.query(name);
  if (value === undefined || value === "") throw invalid(name, "is required in the query");
  return value;
}

/** One page of a list, and where it stands in the whole. */
export function pageOf<T>(context: Context, items: readonly T[], names: { readonly size: string; readonly usual: number }): { readonly shown: readonly T[]; readonly page: number; readonly size: number; readonly pages: number } {
  const page = wholeNumber(context, "page", 1, Number.MAX_SAFE_INTEGER);
  const size = wholeNumber(context, names.size, names.usual, 100);
  return { shown: items.slice((page - 1) * size, page * size), page, size, pages: Math.ceil(items.length / size) };
}

function wholeNumber(context: Context, name: string, otherwise: number, most: number): number {
  const text = context.req.query(name);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > most) throw invalid(name, `must be a whole number from 1 to ${most}`);
  return value;
}
