/** One worker that knows nothing but the instruction files (the first use anybody makes of a fleet). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFleet } from '../support/fleet.ts';
import type { Seat, TestFleet } from '../support/fleet.ts';
import type { Ran } from '../support/cli.ts';

const HELLO = `---
title: Create a hello file
acceptance_criteria:
  - test-output/hello.txt exists and says "Hello from the fleet!"
verify: grep -qx 'Hello from the fleet!' test-output/hello.txt
---
# Create a hello file

## Steps

\`\`\`sh
mkdir -p test-output
printf 'Hello from the fleet!\\n' > test-output/hello.txt
\`\`\`
`;

const DATA = `---
title: Create a data file
acceptance_criteria:
  - test-output/data.json is valid JSON with test and timestamp
verify: node -e 'const d = JSON.parse(require("fs").readFileSync("test-output/data.json")); if (d.test !== true || !Date.parse(d.timestamp)) process.exit(1)'
---
# Create a data file

\`\`\`sh
mkdir -p test-output
printf '{"test": true, "timestamp": "%s"}\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" > test-output/data.json
\`\`\`
`;

/** Most urgent, and last all the same: it depends on both, and reads what they made. */
const MANIFEST = `---
title: List the created files
priority: 0
depends_on: [hello, data]
context_files: [test-output/hello.txt, test-output/data.json]
acceptance_criteria:
  - test-output/manifest.txt lists hello.txt and data.json
verify: grep -qx hello.txt test-output/manifest.txt && grep -qx data.json test-output/manifest.txt
---
# List the created files

\`\`\`sh
ls test-output | grep -v '^manifest.txt$' > test-output/manifest.txt
\`\`\`
`;

describe('three tasks with complete instruction files and one worker', () => {
  let fleet: TestFleet;
  let worker: Seat;
  let ran: Ran;

  beforeAll(async () => {
    fleet = await makeFleet();
    worker = await fleet.seat('vm-a');
    for (const [id, text] of Object.entries({ manifest: MANIFEST, hello: HELLO, data: DATA })) worker.write(`tasks/${id}.md`, text);
    ran = await worker.up('--idle', '2s').finished();
  }, 120_000);

  afterAll(() => fleet.close());

  it('all are done by the content of their files alone', () => {
    expect(fleet.onMain('test-output/hello.txt')).toBe('Hello from the fleet!');
    expect(JSON.parse(fleet.onMain('test-output/data.json') ?? '')).toMatchObject({ test: true });
    expect(fleet.onMain('test-output/manifest.txt')?.split('\n')).toEqual(['data.json', 'hello.txt']);
    for (const id of ['hello', 'data', 'manifest']) expect(fleet.onMain(`tasks/${id}.result.md`), id).toMatch(/^outcome: done$/m);
  });

  it('each result tells which criteria were met and that verify was green', () => {
    for (const id of ['hello', 'data', 'manifest']) {
      expect(fleet.onMain(`tasks/${id}.result.md`), id).toMatch(/met: true/);
      expect(fleet.onMain(`tasks/${id}.result.md`), id).toMatch(/exit: 0/);
    }
  });

  it('the dependent one was claimed after both results were on main', () => {
    const claimed = JSON.parse(fleet.gitHub('cat-file', 'blob', `${fleet.chain('manifest')[0]?.oid}:claim.json`)) as { instruction: { commit: string } };
    for (const id of ['hello', 'data']) expect(fleet.gitHub('cat-file', '-t', `${claimed.instruction.commit}:tasks/${id}.result.md`)).toBe('blob');
  });

  it('the worker ends with 0 after its idle time, and the history tells the story', () => {
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const story = fleet.gitHub('log', '--reverse', '--format=%s', 'main').split('\n');
    expect(story.slice(-4).every((subject) => /^\S+: (claim|done) by worker-1 on vm-a$/.test(subject)), story.join('\n')).toBe(true);
    expect(worker.git('status', '--porcelain')).toBe('');
  });
});

describe('a task whose verify is red', () => {
  it('is not done: its work is kept off main, and its dependant is blocked with the reason', async () => {
    const fleet = await makeFleet();
    try {
      const worker = await fleet.seat('vm-a');
      worker.write('tasks/red.md', '---\nverify: test -e missing.txt\nmax_attempts: 1\n---\n```sh\necho work > work.txt\n```\n');
      worker.write('tasks/after.md', '---\ndepends_on: [red]\n---\n```sh\ntrue\n```\n');
      expect(await worker.up('--until-idle').finished()).toMatchObject({ exit: 0 });
      expect(fleet.onMain('tasks/red.result.md')).toMatch(/^outcome: failed$/m);
      expect(fleet.onMain('work.txt')).toBeNull();
      expect(fleet.gitHub('cat-file', 'blob', 'refs/cambium/wip/red/1:work.txt')).toBe('work');
      const { data } = await worker.json<{ tasks: { id: string; state: string; reasons: string[] }[] }>(['task', 'list']);
      const after = data.tasks.find(({ id }) => id === 'after');
      expect(after?.state).toBe('blocked');
      expect(after?.reasons.join(' ')).toContain('red');
    } finally {
      await fleet.close();
    }
  }, 60_000);
});
