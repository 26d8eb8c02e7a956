/** Starts processes for measuring: argument vectors, an environment of the laboratory's own, nothing of the user's. */
import { spawn } from 'node:child_process';

/** Runs a program to its end. Resolves `{ code, stdout, stderr, ms }`; rejects unless the code is one of `ok`. */
export function run(program, args, { cwd, env, input = '', ok = [0] } = {}) {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
    const out = [];
    const err = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code) => {
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      const said = { code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), ms };
      if (ok.includes(code)) resolve(said);
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${said.stderr.trim() || said.stdout.trim()}`));
    });
    child.stdin.end(input);
  });
}

/** Ends a child that was started here: TERM, then KILL; resolves when it has gone. */
export function endChild(child, graceMs = 5_000) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** Resolves with the first answer of `look` that is neither null nor undefined. Throws when there is none in time. */
export async function until(look, { everyMs = 2, withinMs = 60_000, what = 'what was waited for' } = {}) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${withinMs} ms`);
    await new Promise((resolve) => {
      setTimeout(resolve, everyMs);
    });
  }
}
