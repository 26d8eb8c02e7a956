/** Bytes of the tree as text for a prompt: what is too large or no text at all is named instead of shown. */
import type { Oid } from '../../model/ids.ts';
import { FILE_BYTES_MAX } from '../../observe/text.ts';
import type { Store } from '../../ports/store.ts';

export interface Readable {
  readonly text: string;
  /** Why the text is not what the file holds; unsaid where it is. */
  readonly note?: string;
}

/** Never more than FILE_BYTES_MAX is read. Throws what the store throws. */
export async function readable(store: Store, blob: Oid): Promise<Readable> {
  const size = await store.sizeOf(blob);
  if (size > FILE_BYTES_MAX) return { text: '', note: `not shown: ${size} bytes are too many to be read here` };
  return readableText(await store.readBlob(blob));
}

/** Share of characters that may be unreadable in what is still taken for text in some older encoding. */
const UNREADABLE_MAX = 0.3;

/** Pure. */
export function readableText(bytes: Uint8Array): Readable {
  if (bytes.includes(0)) return { text: '', note: noText(bytes) };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    const text = Buffer.from(bytes).toString('utf8');
    const lost = text.split('\ufffd').length - 1;
    return lost > text.length * UNREADABLE_MAX ? { text: '', note: noText(bytes) } : { text, note: 'not UTF-8: what could not be read stands as \ufffd' };
  }
}

const noText = ({ length }: Uint8Array): string => `not shown: ${length} bytes that are no text`;
