const SHORTEST = 4;

/** Text on one line with every secret struck out, also where it was escaped for an address or for JSON. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  const forms = secrets.filter((secret) => secret.length >= SHORTEST).flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString("base64")]);
  // Longest first, or the rest of a secret that holds another one would stay.
  for (const form of forms.sort((a, b) => b.length - a.length)) clean = clean.replaceAll(form, "[secret]");
  return clean.replaceAll(/[\u0000-\u001F\u007F-\u009F]+/g, " ").slice(0, 500);
}
