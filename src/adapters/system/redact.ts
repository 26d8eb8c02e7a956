/** Masks what looks like a credential, before anything an agent printed is kept. A net, not a wall. */

const MASK = '[redacted]';
const SECRET_NAME = /TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL/i;
/** Shorter values (`1`, `true`, `none`) would blank ordinary text. */
const VALUE_LENGTH_MIN = 8;

const PATTERNS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bglpat-[A-Za-z0-9_-]{16,}/g,
  /\bnpm_[A-Za-z0-9]{30,}/g,
  /\bxox[abeprs]-[A-Za-z0-9-]{10,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\bAIza[0-9A-Za-z_-]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
];
const KEPT_START: readonly RegExp[] = [
  /\b(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi,
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gi,
];

/** Values of the variables whose names speak of secrets, longest first. */
export function secretValues(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const values = Object.entries(env).flatMap(([name, value]) => (SECRET_NAME.test(name) ? (value ?? '').split('\n') : []));
  const kept = values.map((value) => value.trim()).filter((value) => value.length >= VALUE_LENGTH_MIN);
  return [...new Set(kept)].toSorted((a, b) => b.length - a.length);
}

/** A whole text. */
export function redact(text: string, secrets: readonly string[] = []): string {
  let out = text;
  for (const secret of secrets) out = out.replaceAll(secret, MASK);
  for (const pattern of PATTERNS) out = out.replace(pattern, MASK);
  for (const pattern of KEPT_START) out = out.replace(pattern, `$1${MASK}`);
  return out;
}

/** A key that begins in a JSON text, to the end of that text at most. */
const KEY_IN_JSON = /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^"\\]|\\.)*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?="|$))/g;

/**
 * Line by line, remembering that a private key began: its body has no look of its own. A line of JSON ends what begins in
 * it (line breaks are escaped there), or a search for such keys would blank all that an agent says afterwards.
 */
export function lineRedactor(secrets: readonly string[]): (line: string) => string {
  let inKey = false;
  return (line) => {
    if (/^\s*\{.*\}\s*$/s.test(line)) {
      inKey = false;
      return redact(line.replace(KEY_IN_JSON, MASK), secrets);
    }
    const clean = redact(line, secrets);
    const ends = /-----END [A-Z ]*PRIVATE KEY-----/.test(clean);
    if (inKey) {
      inKey = !ends;
      return MASK + (line.endsWith('\n') ? '\n' : '');
    }
    inKey = !ends && /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(clean);
    return clean;
  };
}
