/** What the three CLIs tell a hook, and what they may be answered: the shapes that were seen when they were run. */
import { describe, expect, test } from 'vitest';
import { hookInput, hookOutput, toolWrites } from '../../src/model/hook.ts';

const CLAUDE = { session_id: '6b1e7d2c-0000-4000-8000-000000000000', transcript_path: '/t', cwd: '/w', hook_event_name: 'Stop', prompt_id: 'p', permission_mode: 'default', stop_hook_active: true, last_assistant_message: 'done' };
const CODEX = { session_id: 'c', turn_id: 't', cwd: '/w', hook_event_name: 'Stop', permission_mode: 'never', stop_hook_active: false, last_assistant_message: 'x' };
const GEMINI = { session_id: 'g', cwd: '/w', hook_event_name: 'AfterAgent', timestamp: '2026-11-21T00:00:00Z', prompt: 'p', prompt_response: 'r', stop_hook_active: false };

describe('who calls is seen from what it says', () => {
  test.each([['claude', CLAUDE], ['codex', CODEX], ['gemini', GEMINI], ['gemini', { ...GEMINI, hook_event_name: 'SessionStart' }], ['claude', {}], ['claude', null], ['claude', [1]]] as const)('%s', (cli, said) => {
    expect(hookInput(said, undefined).cli).toBe(cli);
  });

  test('--for has the last word', () => {
    expect(hookInput(CLAUDE, 'codex').cli).toBe('codex');
  });
});

test('a session id becomes a file name, and nothing else', () => {
  expect(hookInput({ session_id: '../../etc/passwd\n' }, undefined).session).toBe('------etc-passwd-');
  expect(hookInput({ session_id: 'x'.repeat(500) }, undefined).session).toHaveLength(64);
  expect(hookInput({ session_id: 7, stop_hook_active: 'yes', cwd: {}, tool_name: [] }, undefined)).toEqual({ cli: 'claude', session: 'unknown', cwd: null, stopActive: false, source: null, tool: null });
});

describe('answers', () => {
  test('nothing is an empty object for all', () => {
    expect(hookOutput({ kind: 'nothing' }, 'stop', 'codex')).toEqual({});
  });

  test('a block is the same for all', () => {
    for (const cli of ['claude', 'codex', 'gemini'] as const) expect(hookOutput({ kind: 'block', reason: 'r' }, 'stop', cli)).toEqual({ decision: 'block', reason: 'r' });
  });

  test('a denied tool is said in each CLI\'s own way', () => {
    const denied = { hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision: 'deny', permissionDecisionReason: 'r' } };
    expect(hookOutput({ kind: 'deny', reason: 'r' }, 'pre-tool', 'claude')).toEqual(denied);
    expect(hookOutput({ kind: 'deny', reason: 'r' }, 'pre-tool', 'codex')).toEqual(denied);
    expect(hookOutput({ kind: 'deny', reason: 'r' }, 'pre-tool', 'gemini')).toEqual({ decision: 'deny', reason: 'r' });
  });

  test('context names the moment as the CLI does', () => {
    expect(hookOutput({ kind: 'context', text: 't' }, 'user-prompt', 'gemini')).toEqual({ hookSpecificOutput: { hookEventName: 'BeforeAgent', additionalContext: 't' } });
    expect(hookOutput({ kind: 'context', text: 't' }, 'user-prompt', 'claude')).toEqual({ hookSpecificOutput: { hookEventName: 'UserPromptSubmit', additionalContext: 't' } });
  });
});

describe('paths that a tool is about to write', () => {
  test.each([
    ['Write', { file_path: 'a.ts', content: 'x' }, ['a.ts']],
    ['MultiEdit', { file_path: 'a.ts', edits: [] }, ['a.ts']],
    ['NotebookEdit', { notebook_path: 'a.ipynb' }, ['a.ipynb']],
    ['write_file', { file_path: '/abs/a.ts' }, ['/abs/a.ts']],
    ['replace', { file_path: 'a.ts' }, ['a.ts']],
    ['apply_patch', { command: '*** Begin Patch\n*** Add File: new.md\n+x\n*** Update File: old.md\n*** Move to: moved.md\n@@\n*** Delete File: gone.md\n*** End Patch' }, ['new.md', 'old.md', 'moved.md', 'gone.md -']],
    ['Write', {}, []],
  ])('%s %j', (name, input, expected) => {
    expect(toolWrites({ name, input })?.map(({ path, deletes }) => `${path}${deletes ? ' -' : ''}`)).toEqual(expected);
  });

  test.each(['Bash', 'Read', 'run_shell_command', 'Task'])('%s is no file tool', (name) => {
    expect(toolWrites({ name, input: { command: 'echo > x', file_path: 'x' } })).toBeNull();
  });
});
