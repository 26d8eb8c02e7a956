#!/usr/bin/env node
/**
 * An agent CLI that prints what it is told to, when it is told to: the lines of the file `$SCRIPTS/$CAMBIUM_TASK`, as they
 * come to stand there. `SPAWN` starts a child in a session of its own; `END` ends it with 0.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

if (process.argv.includes('--version')) {
  console.log('2.1.329 (Claude Code)');
  process.exit(0);
}
process.stdin.resume();
const path = `${process.env.SCRIPTS}/${process.env.CAMBIUM_TASK}`;
let done = 0;
function look() {
  const lines = readFileSync(path, { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1);
  for (const line of lines.slice(done)) {
    done += 1;
    if (line === 'END') process.exit(0);
    if (line === 'SPAWN') spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();
    else process.stdout.write(`${line}\n`);
  }
}
setInterval(look, 20);
look();
