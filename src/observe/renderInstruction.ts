/** Writes a new instruction file. Only ever used for files that do not exist yet: no machine rewrites a person's. */
import { Document } from 'yaml';

export interface InstructionParts {
  readonly title: string;
  readonly body: string;
  /** Front matter by its names in the file: `depends_on`, `assigned_to`. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Strings that look like numbers or dates are quoted, so that every reader takes them for what they are. */
export function renderInstruction({ title, body, fields = {} }: InstructionParts): string {
  const front = new Document({ title, ...fields }).toString({ lineWidth: 0, flowCollectionPadding: true });
  const heading = /^#\s/m.test(body) ? '' : `# ${title.replace(/\s+/g, ' ')}\n\n`;
  return `---\n${front}---\n\n${heading}${body.trim()}${body.trim() === '' ? '' : '\n'}`;
}
