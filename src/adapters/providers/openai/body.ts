import { isAscii, isUtf8 } from "node:buffer";
import { TollgateError } from "../../../base/errors.ts";
import { refuseProtoMembers } from "./forbidden.ts";
import { isObject, type JsonObject } from "./json.ts";
import { MemberScan } from "./scan.ts";

const DEPTH_MAX = 64;

/** A body that was scanned for its top-level members and then parsed. */
export interface OpenBody {
  readonly raw: Buffer;
  /** The raw body as latin1: offsets are byte offsets. */
  readonly text: string;
  readonly parsed: JsonObject;
  /** Offset after the opening brace. */
  readonly open: number;
}

/**
 * Reads a request body of at most 10 MB.
 * @param note told of each top-level member before anything is parsed; keeps in `spans` what an edit needs
 * @throws TollgateError `invalid_json`, `invalid_request`, `duplicate_member`, `forbidden_member`, `body_too_deep`
 */
export function openBody<Spans>(body: Uint8Array, spans: Spans, note: (scan: MemberScan, spans: Spans) => void): OpenBody {
  const raw = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const ascii = isAscii(raw);
  if (!ascii && !isUtf8(raw)) throw new TollgateError("invalid_json", "The body is not valid UTF-8; send JSON as UTF-8 text.");
  const text = raw.toString("latin1");
  // The scan comes first: nothing deeper than the limit ever reaches the parser, which takes seconds for a nesting bomb.
  const scan = new MemberScan(text, 0, DEPTH_MAX);
  while (scan.next()) note(scan, spans);
  if (scan.tooDeep) throw new TollgateError("body_too_deep", `The body is nested deeper than ${DEPTH_MAX} levels; flatten it.`);
  const parsed = parse(ascii ? text : raw.toString("utf8"));
  if (!isObject(parsed)) throw new TollgateError("invalid_request", `The body must be a JSON object, not ${kind(parsed)}.`);
  // A name that stands twice was scanned twice and parsed once, however it was spelled.
  if (Object.keys(parsed).length !== scan.count) throw duplicate(text);
  refuseProtoMembers(text, parsed);
  return { raw, text, parsed, open: scan.open };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new TollgateError("invalid_json", `The body is not valid JSON: ${parserReason(error)}. Send one JSON object.`);
  }
}

/** The parser's reason and position, without the piece of the body that it quotes. */
function parserReason(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  const position = /at position \d+(?: \(line \d+ column \d+\))?/.exec(message)?.[0];
  const reason = /^(?:Unexpected token|Unexpected end of JSON input|Unterminated string|Expected (?:property name|double-quoted property name|',' or '[\]}]' after [a-z ]+?(?= in JSON)|':' after property name)|Bad [a-z ]+?(?= in JSON| in string)|Unexpected non-whitespace character)/.exec(message)?.[0] ?? "syntax error";
  const lower = reason.charAt(0).toLowerCase() + reason.slice(1);
  return position === undefined ? lower : `${lower} ${position}`;
}

function duplicate(text: string): TollgateError {
  const seen = new Set<string>();
  for (const scan = new MemberScan(text, 0, DEPTH_MAX); scan.next(); ) {
    const name = scan.name() ?? "";
    if (seen.has(name)) {
      const param = name.slice(0, 64);
      return new TollgateError("duplicate_member", `The body has the member ${JSON.stringify(param)} twice; send it once, since parsers differ on which one wins.`, { param });
    }
    seen.add(name);
  }
  return new TollgateError("duplicate_member", "The body has a member twice; send each member once.");
}

function kind(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
