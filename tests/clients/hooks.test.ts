/** Hooks and MCP tools of the real CLIs before the scripted model: what a hook hands in is a prompt, what a tool gives back a result. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeClient, scene } from './scene.ts';

/** A hook that blocks the first stop with `keep going`, and lets the next one through. */
const STOP_ONCE = `let text = ''; process.stdin.on('data', (piece) => { text += piece; }); process.stdin.on('end', () => process.stdout.write(JSON.parse(text).stop_hook_active ? '{}' : JSON.stringify({ decision: 'block', reason: 'keep going' })));`;
const START = `process.stdout.write(JSON.stringify({ hookSpecificOutput: { hookEventName: 'SessionStart', additionalContext: 'You are oak.' } }));`;

/** A stdio MCP server with the one tool \`claim\`. */
const MCP = `import { createInterface } from 'node:readline';
const answers = { initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'tq', version: '1' } }), 'tools/list': () => ({ tools: [{ name: 'claim', description: 'Claims a task', inputSchema: { type: 'object', properties: { task: { type: 'string' } }, required: ['task'] } }] }), 'tools/call': ({ arguments: { task } }) => ({ content: [{ type: 'text', text: 'claimed ' + task }] }) };
createInterface({ input: process.stdin }).on('line', (line) => { const { id, method, params } = JSON.parse(line); if (id !== undefined) process.stdout.write(JSON.stringify(answers[method] ? { jsonrpc: '2.0', id, result: answers[method](params) } : { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } }) + '\\n'); });
`;

interface Files {
  readonly stop: string;
  readonly start: string;
  readonly mcp: string;
}

function filesIn(home: string): Files {
  const write = (name: string, text: string): string => {
    const path = join(home, name);
    writeFileSync(path, text);
    return path;
  };
  return { stop: write('stop.mjs', STOP_ONCE), start: write('start.mjs', START), mcp: write('mcp.mjs', MCP) };
}

const hookFile = ({ stop, start }: Files): string => JSON.stringify({ hooks: { SessionStart: [{ hooks: [{ type: 'command', command: `node ${start}`, timeout: 10 }] }], Stop: [{ hooks: [{ type: 'command', command: `node ${stop}`, timeout: 10 }] }] } });

const SAID = [{ text: 'I stop.' }];

await describeClient('claude', (cli) => {
  test('a stop that is blocked goes on with the reason as a prompt; the start hook is context', async () => {
    const { server, at, recorded } = await scene(cli, SAID);
    const ran = await recorded('hooks', { flags: ['--settings', hookFile(filesIn(at.home))] });
    expect(ran.exit).toBe(0);
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(['Write the greeting.', expect.stringContaining('keep going')]);
    expect(server.turns()[0]?.context).toContain('You are oak.');
  });

  test('a tool of an MCP server is called by its name', async () => {
    const { server, at, recorded } = await scene(cli, [{ tool: 'named', name: 'mcp__tq__claim', input: { task: 'add-login' } }, { text: 'Claimed.' }]);
    const config = JSON.stringify({ mcpServers: { tq: { command: 'node', args: [filesIn(at.home).mcp] } } });
    await recorded('mcp', { permission: ['--permission-mode', 'dontAsk', '--allowedTools', 'mcp__tq__claim'], flags: ['--mcp-config', config] });
    expect(server.turns()[1]?.results.map(({ text }) => text)).toEqual(['claimed add-login']);
  });
});

await describeClient('codex', (cli) => {
  test('a stop that is blocked goes on with the reason as a prompt; the start hook is told too', async () => {
    const { server, at, recorded } = await scene(cli, SAID);
    writeFileSync(join(at.home, 'hooks.json'), hookFile(filesIn(at.home)));
    const ran = await recorded('hooks', { flags: ['--dangerously-bypass-hook-trust'] });
    expect(ran.exit).toBe(0);
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(['Write the greeting.', expect.stringContaining('keep going')]);
    expect(`${server.turns()[0]?.context}${server.turns()[0]?.system}`).toContain('You are oak.');
  });

  test.each([['gpt-6.1-sol'], ['gpt-5.5']])('a tool of an MCP server is called by its name, as %s calls it', async (model) => {
    const { server, at, recorded } = await scene(cli, [{ tool: 'named', name: 'mcp__tq__claim', input: { task: 'add-login' } }, { text: 'Claimed.' }]);
    const flags = ['-m', model, '-c', `mcp_servers.tq={command="node",args=["${filesIn(at.home).mcp}"],default_tools_approval_mode="approve"}`];
    await recorded(`mcp-${model}`, { flags });
    expect(server.turns()[1]?.results.map(({ text }) => text).join()).toContain('claimed add-login');
  });
});

await describeClient('gemini', (cli) => {
  test('a stop that is blocked goes on with the reason as a prompt; the start hook is context', async () => {
    const { server, at, recorded } = await scene(cli, SAID);
    const { stop, start } = filesIn(at.home);
    const hook = (path: string) => [{ hooks: [{ type: 'command', command: `node ${path}`, timeout: 10_000 }] }];
    mkdirSync(join(at.cwd, '.gemini'));
    writeFileSync(join(at.cwd, '.gemini/settings.json'), JSON.stringify({ hooks: { SessionStart: hook(start), AfterAgent: hook(stop) } }));
    const ran = await recorded('hooks');
    expect(ran.exit).toBe(0);
    expect(server.turns().map(({ prompt }) => prompt.trim())).toEqual(['Write the greeting.', 'keep going']);
    expect(server.turns()[0]?.context).toContain('You are oak.');
  });

  test('a tool of an MCP server is called by its name', async () => {
    const { server, at, recorded } = await scene(cli, [{ tool: 'named', name: 'mcp_tq_claim', input: { task: 'add-login' } }, { text: 'Claimed.' }]);
    mkdirSync(join(at.cwd, '.gemini'));
    writeFileSync(join(at.cwd, '.gemini/settings.json'), JSON.stringify({ mcpServers: { tq: { command: 'node', args: [filesIn(at.home).mcp] } } }));
    await recorded('mcp');
    expect(server.turns()[1]?.results.map(({ text }) => text).join()).toContain('claimed add-login');
  });
});
