/**
 * A worker session that has only the command line and the text of its claim: it does to the letter what the instruction
 * says, as an agent would, and knows nothing else. Run as: node literalWorker.mjs CLI AGENT IDLE
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { obey } from './obey.mjs';

const [cli, agent, idle] = process.argv.slice(2);

function cambium(args, input) {
  const { status, stdout } = spawnSync(process.execPath, [cli, '--json', ...args], { encoding: 'utf8', input });
  return { status, answer: stdout === '' ? null : JSON.parse(stdout) };
}

function report({ acceptance_criteria: criteria }, written) {
  const lines = criteria.map((text) => `  - { text: ${JSON.stringify(text)}, met: true, evidence: ${JSON.stringify(`wrote ${written.join(', ')}`)} }`);
  return `---\n${lines.length === 0 ? '' : `criteria:\n${lines.join('\n')}\n`}---\nWrote ${written.join(', ')}.\n`;
}

cambium(['worker', 'register', agent]);
while (cambium(['worker', 'continue', agent, '--max-idle', idle]).status === 0) {
  const { status, answer } = cambium(['task', 'claim', '--agent', agent]);
  if (status !== 0) {
    await new Promise((resolve) => void setTimeout(resolve, 300));
    continue;
  }
  const claim = answer.data;
  const held = [claim.task, '--agent', agent, '--epoch', String(claim.epoch)];
  const written = obey(claim);
  const end = written === null ? cambium(['task', 'fail', ...held, '--reason', 'the instruction is not complete']) : cambium(['task', 'complete', ...held, '--result', '-'], report(claim, written));
  appendFileSync(`${agent}.log`, `${claim.task} ${end.status}\n`);
}
