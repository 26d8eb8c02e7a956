/** Commit messages: `<task>: <verb> …`, a body that says why, and trailers. The scheduler never reads them back. Pure. */
import type { Signature } from './git.ts';

export interface MessageParts {
  readonly subject: string;
  readonly body?: string;
  readonly trailers?: Readonly<Record<string, string | number | null | undefined>>;
}

/** A subject is one line; a body cannot smuggle in trailers, because ours come last, after a blank line. */
export function renderMessage({ subject, body, trailers = {} }: MessageParts): string {
  const kept = Object.entries(trailers).filter(([, value]) => value !== null && value !== undefined);
  const paragraphs = [oneLine(subject), body?.trim() ?? '', kept.map(([key, value]) => `${key}: ${oneLine(String(value))}`).join('\n')];
  return `${paragraphs.filter((paragraph) => paragraph !== '').join('\n\n')}\n`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Authors and committers that are no people get an address that can never receive mail. */
export function machineSignature(name: string, kind: 'agent' | 'node', now: Date): Signature {
  return { name, email: `${name}@${kind}s.cambium.invalid`, seconds: Math.floor(now.getTime() / 1000), zone: '+0000' };
}
