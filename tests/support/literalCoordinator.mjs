/**
 * A coordinator that a node starts: it knows one request, the source's small web API, and cuts it into the source's own
 * instruction files. First it leaves task files, then it adds the tests by the command line, then it reports. Run as the
 * command of a provider, in its worktree: node literalCoordinator.mjs FIXTURES VERIFY
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [fixtures, verify] = process.argv.slice(2);
const prompt = readFileSync(process.env.CAMBIUM_PROMPT_FILE, 'utf8');
const said = prompt.slice(prompt.indexOf('# What was said to you'));
const text = (name) => readFileSync(`${fixtures}/${name}.md`, 'utf8');
const answer = (words) => writeFileSync(process.env.CAMBIUM_RESULT_FILE, `${words}\n`);

function cut(id, source, front) {
  writeFileSync(`tasks/${id}.md`, `---\n${front}---\n\n${text(source)}`);
}

function addTests() {
  const task = { id: 'flask-test', description: 'Create tests for the API', instruction: text('flask-test'), context_files: ['flask-demo/app.py'], ...(verify === '' ? {} : { verify }), metadata: { acceptance_criteria: ['Tests pass when run'] } };
  const { status, stderr } = spawnSync('cambium', ['task', 'add', '--from', '-'], { input: JSON.stringify(task), encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

if (!/\bRound \d+ of the request/.test(said)) {
  if (!prompt.includes('This is about the request')) throw new Error('it is not told that this is a request');
  cut('flask-app-structure', 'flask-app-structure', 'title: Create the app structure\nacceptance_criteria: [app.py created]\n');
  cut('flask-hello', 'flask-hello-endpoint', 'title: Implement /hello\ndepends_on: [flask-app-structure]\ncontext_files: [flask-demo/app.py]\nassigned_to: worker-2\nverify: grep -q /hello flask-demo/app.py\n');
  cut('flask-time', 'flask-time-endpoint', 'title: Implement /time\ndepends_on: [flask-hello]\ncontext_files: [flask-demo/app.py]\nassigned_to: worker-1\nverify: grep -q /time flask-demo/app.py\n');
  answer('I have cut it into three tasks; the tests come when both endpoints are there.');
} else if (!existsSync('tasks/flask-test.result.md')) {
  const app = readFileSync('flask-demo/app.py', 'utf8');
  if (!app.includes('/hello') || !app.includes('/time')) throw new Error('the endpoints are not there');
  addTests();
  answer('Both endpoints are in flask-demo/app.py. I have added the tests.');
} else {
  answer('@human The web API stands in flask-demo/: /hello and /time in app.py, tests in test_app.py.');
}
