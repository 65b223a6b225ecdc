/**
 * ULIDs: 26 characters of Crockford base 32, 48 bits of time then 80 random bits; sorted as text they are sorted by
 * time, and a range of them is a range of time.
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const STOCK_BYTES = 4_096;
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The ten characters that encode a time in milliseconds since the Unix epoch. */
export function ulidTime(epochMs: number): string {
  let rest = epochMs;
  let text = "";
  for (let i = 0; i < 10; i += 1) {
    const digit = rest % 32;
    text = ALPHABET.charAt(digit) + text;
    rest = (rest - digit) / 32;
  }
  return text;
}

/** The time in a ULID, in milliseconds since the Unix epoch. */
export function ulidEpochMs(id: string): number {
  let value = 0;
  for (let i = 0; i < 10; i += 1) value = value * 32 + ALPHABET.indexOf(id.charAt(i));
  return value;
}

export function isUlid(text: string): boolean {
  return ULID.test(text);
}

/**
 * Makes ULIDs from a source of random bytes. Within one millisecond the random part counts up, so ids of one
 * process are strictly increasing while the clock does not step back.
 */
export class UlidSource {
  private readonly randomBytes: (size: number) => Uint8Array<ArrayBuffer>;
  /** Random bytes in stock: a call for each id would cost more than everything else here. */
  private stock = new Uint8Array(0);
  private used = 0;
  private lastMs = -1;
  private time = "";
  private readonly digits = new Uint8Array(16);

  constructor(randomBytes: (size: number) => Uint8Array<ArrayBuffer>) {
    this.randomBytes = randomBytes;
  }

  /** A new id for `epochMs`. @example new UlidSource(randomBytes).next(Date.now()) // "01JD…", 26 characters */
  next(epochMs: number): string {
    if (epochMs !== this.lastMs) {
      this.lastMs = epochMs;
      this.time = ulidTime(epochMs);
      if (this.used >= this.stock.length) {
        this.stock = this.randomBytes(STOCK_BYTES);
        this.used = 0;
      }
      for (let i = 0; i < 16; i += 1) this.digits[i] = (this.stock[this.used + i] ?? 0) & 31;
      this.used += 16;
      // A clear top bit leaves room to count up without overflow.
      this.digits[0] = (this.digits[0] ?? 0) & 15;
    } else {
      let i = 15;
      while (i >= 0 && this.digits[i] === 31) {
        this.digits[i] = 0;
        i -= 1;
      }
      if (i >= 0) this.digits[i] = (this.digits[i] ?? 0) + 1;
    }
    let text = this.time;
    for (let i = 0; i < 16; i += 1) text += ALPHABET[this.digits[i] ?? 0];
    return text;
  }
}
