/** Who is to judge finished work: a person, one agent, a role, or whoever is of another model family than who did it. Pure. */
import { isAgentId, isId } from './ids.ts';

export const PERSON = 'human';
export const DIFFERENT_PROVIDER = 'different_provider';
const ROLE = 'role:';

export type ReviewWish =
  | { readonly kind: 'person' }
  | { readonly kind: 'agent'; readonly agent: string }
  | { readonly kind: 'role'; readonly role: string }
  | { readonly kind: 'other-family' };

/** The one word that a task keeps of `review`: `human`, an agent, `role:<role>` or `different_provider`. Null for anything else. */
export function reviewWord(value: unknown): string | null {
  if (typeof value === 'string') return isReviewWord(value) ? value : null;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value as Record<string, unknown>).filter(([, said]) => said !== null && said !== false && said !== 'false');
  const [first] = entries;
  if (first === undefined || entries.length > 1) return null;
  const [key, said] = first;
  if (key === DIFFERENT_PROVIDER) return said === true || said === 'true' ? DIFFERENT_PROVIDER : null;
  if (typeof said !== 'string') return null;
  const word = key === 'agent' ? said : key === 'role' ? `${ROLE}${said}` : '';
  return isReviewWord(word) ? word : null;
}

function isReviewWord(word: string): boolean {
  return word === PERSON || word === DIFFERENT_PROVIDER || (word.startsWith(ROLE) ? isId(word.slice(ROLE.length)) : isAgentId(word));
}

export function reviewWish(word: string): ReviewWish {
  if (word === PERSON) return { kind: 'person' };
  if (word === DIFFERENT_PROVIDER) return { kind: 'other-family' };
  return word.startsWith(ROLE) ? { kind: 'role', role: word.slice(ROLE.length) } : { kind: 'agent', agent: word };
}
