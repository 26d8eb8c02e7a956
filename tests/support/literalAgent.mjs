/**
 * A worker that a node starts: it does to the letter what its task's instruction says, and reports. Run as the command of a
 * provider, in its worktree: node literalAgent.mjs
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { obey } from './obey.mjs';

const prompt = readFileSync(process.env.CAMBIUM_PROMPT_FILE, 'utf8');
const instruction = readFileSync(`tasks/${process.env.CAMBIUM_TASK}.md`, 'utf8');
// It goes by what it was told, and reads the file for its exact bytes only.
if (!prompt.includes(/^# Task: .+$/m.exec(instruction)[0])) throw new Error('the prompt does not tell the task');
const listed = /^context_files:(?: \[\s*(.+?)\s*\]|((?:\n {2}- .+)+))$/m.exec(instruction);
const context = (listed?.[1]?.split(', ') ?? listed?.[2]?.trim().replace(/^- /, '').split(/\n {2}- /) ?? []).map((path) => ({ path }));
const criteria = [...prompt.matchAll(/^# Acceptance criteria\n\n((?:- .+\n)+)/gm)].flatMap(([, list]) => list.trim().split('\n').map((line) => line.slice(2)));
const written = obey({ instruction, context, worktree: process.cwd() });
if (written === null) throw new Error('the instruction is not complete');
const judged = criteria.map((text) => `  - { text: ${JSON.stringify(text)}, met: true, evidence: ${JSON.stringify(`wrote ${written.join(', ')}`)} }\n`);
writeFileSync(process.env.CAMBIUM_RESULT_FILE, `---\noutcome: done\n${judged.length === 0 ? '' : `criteria:\n${judged.join('')}`}---\nWrote ${written.join(', ')}.\n`);
