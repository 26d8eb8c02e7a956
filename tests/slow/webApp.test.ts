/** A small web API, built by two machines from four instruction files; its own tests are green at the end. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config, fsck, makeFleet, run } from '../support/fleet.ts';
import type { TestFleet } from '../support/fleet.ts';
import type { Ran } from '../support/cli.ts';

const hasFlask = spawnSync('python3', ['-c', 'import flask, pytest'], { stdio: 'ignore' }).status === 0;

interface App {
  readonly folder: string;
  /** The command that runs the application's own tests, in its folder. */
  readonly test: readonly [string, ...string[]];
  readonly files: { readonly structure: string; readonly hello: string; readonly time: string; readonly tests: string };
  readonly source: string;
}

const FLASK: App = {
  folder: 'flask-demo',
  source: 'app.py',
  test: ['python3', '-m', 'pytest', '-q', '-p', 'no:cacheprovider'],
  files: {
    structure: `mkdir -p flask-demo
cat > flask-demo/app.py <<'PY'
from flask import Flask, jsonify
from datetime import datetime

app = Flask(__name__)

# hello endpoint

# time endpoint

if __name__ == '__main__':
    app.run(host='127.0.0.1', port=5000)
PY
echo 'Flask>=2.2' > flask-demo/requirements.txt
printf '# Flask demo\\n\\npip install -r requirements.txt, then python3 app.py\\n' > flask-demo/README.md`,
    hello: `cat > route.txt <<'PY'
@app.route('/hello')
def hello():
    return jsonify({"message": "Hello from Flask!", "status": "success"})
PY
sed -i -e '/^# hello endpoint/{r route.txt' -e 'd}' flask-demo/app.py
rm route.txt`,
    time: `cat > route.txt <<'PY'
@app.route('/time')
def current_time():
    return jsonify({"current_time": datetime.now().isoformat(), "timezone": "UTC"})
PY
sed -i -e '/^# time endpoint/{r route.txt' -e 'd}' flask-demo/app.py
rm route.txt`,
    tests: `cat > flask-demo/test_app.py <<'PY'
import pytest
from app import app

@pytest.fixture
def client():
    app.config['TESTING'] = True
    with app.test_client() as client:
        yield client

def test_hello(client):
    response = client.get('/hello')
    assert response.status_code == 200
    assert response.get_json()['message'] == "Hello from Flask!"

def test_time(client):
    response = client.get('/time')
    assert response.status_code == 200
    assert 'current_time' in response.get_json()
PY`,
  },
};

const NODE: App = {
  folder: 'node-demo',
  source: 'app.mjs',
  test: [process.execPath, '--test'],
  files: {
    structure: `mkdir -p node-demo
cat > node-demo/app.mjs <<'JS'
import { createServer } from 'node:http';

const routes = {
  // hello endpoint

  // time endpoint
};

export const app = createServer((request, response) => {
  const body = routes[request.url]?.();
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}));
});
JS
echo '{ "type": "module" }' > node-demo/package.json
printf '# Node demo\\n\\nnode --test runs its tests.\\n' > node-demo/README.md`,
    hello: `sed -i 's|^  // hello endpoint|  "/hello": () => ({ message: "Hello from Node!", status: "success" }),|' node-demo/app.mjs`,
    time: `sed -i 's|^  // time endpoint|  "/time": () => ({ current_time: new Date().toISOString(), timezone: "UTC" }),|' node-demo/app.mjs`,
    tests: `cat > node-demo/app.test.mjs <<'JS'
import assert from 'node:assert';
import { after, before, test } from 'node:test';
import { app } from './app.mjs';

let url;
before(async () => { await new Promise((resolve) => app.listen(0, '127.0.0.1', resolve)); url = \`http://127.0.0.1:\${app.address().port}\`; });
after(() => app.close());
test('hello', async () => assert.equal((await (await fetch(url + '/hello')).json()).message, 'Hello from Node!'));
test('time', async () => assert.ok((await (await fetch(url + '/time')).json()).current_time));
JS`,
  },
};

const APP = hasFlask ? FLASK : NODE;
const quoted = APP.test.map((word) => `'${word}'`).join(' ');

function instruction(title: string, script: string, front: string): string {
  return `---\ntitle: ${title}\n${front}---\n# Task: ${title}\n\nEverything is below; nothing else need be known.\n\n\`\`\`sh\n${script}\n\`\`\`\n`;
}

function instructions(): Readonly<Record<string, string>> {
  const { folder, source, files } = APP;
  const context = `context_files: [${folder}/${source}]\n`;
  return {
    'tasks/app-structure.md': instruction('Create the app structure', files.structure, `verify: test -s ${folder}/${source} && test -s ${folder}/README.md\n`),
    'tasks/app-hello.md': instruction('Implement the /hello endpoint', files.hello, `depends_on: [app-structure]\n${context}verify: grep -q /hello ${folder}/${source}\n`),
    'tasks/app-time.md': instruction('Implement the /time endpoint', files.time, `depends_on: [app-structure]\n${context}verify: grep -q /time ${folder}/${source}\n`),
    'tasks/app-test.md': instruction('Create tests for the API', files.tests, `depends_on: [app-hello, app-time]\n${context}verify: cd ${folder} && PYTHONDONTWRITEBYTECODE=1 ${quoted}\n`),
  };
}

describe(`a web API (${APP.folder}) from four instruction files, built across two nodes`, () => {
  let fleet: TestFleet;
  let ends: readonly Ran[];

  beforeAll(async () => {
    fleet = await makeFleet({ config: config(undefined, 'worker-1: { role: worker, node: vm-a }\n  worker-2: { role: worker, node: vm-b }') });
    const seats = await Promise.all(['vm-a', 'vm-b'].map((name) => fleet.seat(name)));
    fleet.push(instructions());
    ends = await Promise.all(seats.map((seat) => seat.up('--until-idle').finished()));
  }, 180_000);

  afterAll(() => fleet.close());

  it('all four are done, and both daemons end with 0', () => {
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0]);
    for (const id of ['app-structure', 'app-hello', 'app-time', 'app-test']) expect(fleet.onMain(`tasks/${id}.result.md`), id).toMatch(/^outcome: done$/m);
  });

  it('both endpoints are in the one source file, though two agents wrote them', () => {
    expect(fleet.onMain(`${APP.folder}/${APP.source}`)).toMatch(/\/hello[^]*\/time/);
  });

  it('its own tests are green in a plain git clone', async () => {
    const path = join(fleet.root, 'deployed');
    await run('git', ['clone', '--quiet', fleet.hub, path], fleet.root);
    const [file, ...args] = APP.test;
    const ran = await run(file, args, join(path, APP.folder));
    rmSync(path, { recursive: true });
    expect(ran).toMatchObject({ exit: 0 });
    expect(ran.stdout).toMatch(/2 passed|pass 2/);
    expect(fsck(fleet.hub)).toBe('');
  });
});
