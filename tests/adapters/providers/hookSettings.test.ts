/** The hooks section of each CLI, and the quoting of the command in it. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { hookSettings, sessionHookSettings, shellQuoted } from '../../../src/adapters/providers/hookSettings.ts';

describe('a shell reads back the words that were quoted', () => {
  test.each([
    [['/opt/my tools/node', '/a/it\'s here/hook.js', 'stop']], [['$(touch /tmp/x)', '`id`', '$HOME', '!!', '\\', '"']], [['', 'a\nb', '*', '~', '#x', ';', '&&']], [['\'\'\'', '-n', 'é']],
  ])('%j', (words) => {
    const said = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${shellQuoted(words)}`], { encoding: 'utf8' });
    expect(said.split('\0').slice(0, -1)).toEqual(words);
  });

  test('plain words stay as they are', () => {
    expect(shellQuoted(['cambium', 'hook', 'session-start', '--for', 'claude'])).toBe('cambium hook session-start --for claude');
  });
});

describe('each CLI finds its own names, and its own unit of time', () => {
  test('claude', () => {
    const hooks = hookSettings(['node', '/opt/my tools/hook.js'], 'claude');
    expect(Object.keys(hooks)).toEqual(['SessionStart', 'UserPromptSubmit', 'PreToolUse', 'Stop', 'SessionEnd']);
    expect(hooks['Stop']).toEqual([{ hooks: [{ type: 'command', command: 'node \'/opt/my tools/hook.js\' stop --for claude --spawned', timeout: 60 }] }]);
    expect(hooks['PreToolUse']?.[0]?.matcher).toBe('Write|Edit|MultiEdit|NotebookEdit');
  });

  test('codex', () => {
    expect(hookSettings(['x'], 'codex')['PreToolUse']?.[0]?.matcher).toBe('apply_patch|Edit|Write');
    expect(Object.keys(hookSettings(['x'], 'codex'))).toContain('Stop');
  });

  test('gemini counts in milliseconds and stops after the agent', () => {
    const hooks = hookSettings(['x'], 'gemini');
    expect(Object.keys(hooks)).toEqual(['SessionStart', 'BeforeAgent', 'BeforeTool', 'AfterAgent', 'SessionEnd']);
    expect(hooks['AfterAgent']?.[0]?.hooks[0]).toEqual({ type: 'command', command: 'x stop --for gemini --spawned', timeout: 60_000 });
    expect(hooks['BeforeTool']?.[0]?.matcher).toBe('write_file|replace');
  });
});

test('sessions of people find cambium on PATH, and are no spawns', () => {
  expect(sessionHookSettings('claude')['Stop']?.[0]?.hooks[0]?.command).toBe('cambium hook stop --for claude');
});
