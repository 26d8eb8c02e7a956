/** The scripted model itself, asked over HTTP without any CLI: walking a script, faults, side requests. */
import { afterEach, describe, expect, test } from 'vitest';
import { modelServer, type ModelServer } from './modelServer.ts';
import type { Script } from './script.ts';

const open: ModelServer[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(script: Script): Promise<ModelServer> {
  const server = await modelServer(script);
  open.push(server);
  return server;
}

const post = (url: string, body: unknown, signal?: AbortSignal): Promise<Response> => fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, ...(signal === undefined ? {} : { signal }) });

interface Said {
  readonly text: string;
  readonly calls: readonly string[];
}

/** A model's turn in each dialect: the prompts and replies so far, as that API writes them. */
interface Speaker {
  readonly name: string;
  ask(server: ModelServer, prompts: readonly string[], replies: number): Promise<Response>;
  read(text: string): Said;
}

const dataOf = (text: string): readonly Record<string, unknown>[] => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string) as Record<string, unknown>);

const SPEAKERS: readonly Speaker[] = [
  {
    name: 'anthropic',
    ask: ({ url }, prompts, replies) => post(`${url}/v1/messages?beta=true`, {
      model: 'm', stream: true, tools: [{ name: 'Bash' }, { name: 'Write' }],
      messages: [...prompts.map((content) => ({ role: 'user', content })), ...Array.from({ length: replies }, (_, index) => [{ role: 'assistant', content: [{ type: 'tool_use', id: `t${index}`, name: 'Bash', input: {} }] }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: `t${index}`, content: 'out' }] }]).flat()],
    }),
    read: (text) => ({ text: dataOf(text).map((event) => (event['delta'] as { text?: string } | undefined)?.text ?? '').join(''), calls: dataOf(text).flatMap((event) => (event['content_block'] as { name?: string } | undefined)?.name ?? []) }),
  },
  {
    name: 'openai',
    ask: ({ url }, prompts, replies) => post(`${url}/v1/responses`, {
      model: 'm', tools: [{ type: 'function', name: 'exec_command' }],
      input: [...prompts.map((text) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] })), ...Array.from({ length: replies }, (_, index) => [{ type: 'function_call', call_id: `t${index}`, name: 'exec_command', arguments: '{}' }, { type: 'function_call_output', call_id: `t${index}`, output: 'out' }]).flat()],
    }),
    read: (text) => ({ text: dataOf(text).map((event) => (typeof event['delta'] === 'string' ? event['delta'] : '')).join(''), calls: dataOf(text).flatMap((event) => (event['type'] === 'response.output_item.done' ? ((event['item'] as { name?: string }).name ?? []) : [])) }),
  },
  {
    name: 'gemini',
    ask: ({ url }, prompts, replies) => post(`${url}/v1beta/models/m:streamGenerateContent?alt=sse`, {
      tools: [{ functionDeclarations: [{ name: 'run_shell_command' }, { name: 'write_file' }] }],
      contents: [...prompts.map((text) => ({ role: 'user', parts: [{ text }] })), ...Array.from({ length: replies }, () => [{ role: 'model', parts: [{ functionCall: { name: 'run_shell_command' } }] }, { role: 'user', parts: [{ functionResponse: { name: 'run_shell_command', response: { output: 'out' } } }] }]).flat()],
    }),
    read: (text) => {
      const parts = dataOf(text).flatMap((event) => (event['candidates'] as readonly { readonly content: { readonly parts: readonly { readonly text?: string; readonly functionCall?: { readonly name: string } }[] } }[])[0]?.content.parts ?? []);
      return { text: parts.map((part) => part.text ?? '').join(''), calls: parts.flatMap((part) => part.functionCall?.name ?? []) };
    },
  },
];

describe.each(SPEAKERS)('$name', ({ name, ask, read }) => {
  const say = async (server: ModelServer, prompts: readonly string[], replies = 0): Promise<Said> => read(await (await ask(server, prompts, replies)).text());

  test('the n-th answer since the prompt is the n-th step, and `done` after the last', async () => {
    const server = await serve([{ tool: 'bash', command: 'ls' }, { text: 'two' }]);
    const calls = { anthropic: 'Bash', openai: 'exec_command', gemini: 'run_shell_command' }[name];
    expect(await say(server, ['go'])).toEqual({ text: '', calls: [calls] });
    expect(await say(server, ['go'], 1)).toEqual({ text: 'two', calls: [] });
    expect(await say(server, ['go'], 2)).toEqual({ text: 'done', calls: [] });
    expect(server.turns().map(({ prompt, replies, results }) => [prompt, replies, results.map(({ text }) => text.includes('out'))])).toEqual([['go', 0, []], ['go', 1, [true]], ['go', 2, [true, true]]]);
  });

  test('a fault with times is met so often, and one without at every try', async () => {
    const server = await serve([{ fail: 429, times: 2, retryAfterS: 7 }, { text: 'now' }, { fail: 500 }]);
    const statuses = async (replies: number): Promise<number> => (await ask(server, ['go'], replies)).status;
    expect([await statuses(0), await statuses(0), await statuses(0), await statuses(1), await statuses(1)]).toEqual([429, 429, 200, 500, 500]);
  });

  test('a hung request gets no headers, until the server closes', async () => {
    const server = await serve([{ hang: true }]);
    const answer = ask(server, ['go'], 0).then(() => 'answered', () => 'cut');
    await server.asked(({ prompt }) => prompt === 'go');
    expect(await Promise.race([answer, new Promise((resolve) => void setImmediate(resolve, 'waits'))])).toBe('waits');
    await server.close();
    expect(await answer).toBe('cut');
  });

  test('a dropped answer breaks off', async () => {
    const server = await serve([{ drop: { text: 'half of this is missing' } }]);
    await expect(ask(server, ['go'], 0).then((response) => response.text())).rejects.toThrow();
  });

  test('a function sees what was asked, and chooses', async () => {
    const server = await serve(({ prompt, dialect }) => (prompt === 'a' ? { text: `${dialect} a` } : [{ text: 'first' }, { text: 'second' }]));
    expect((await say(server, ['a'])).text).toBe(`${name} a`);
    expect((await say(server, ['b'], 1)).text).toBe('second');
  });

  test('an outage is met over the script, until it ends', async () => {
    const server = await serve([{ text: 'well' }]);
    server.outage({ fail: 503 });
    expect((await ask(server, ['go'], 0)).status).toBe(503);
    server.outage(null);
    expect((await say(server, ['go'])).text).toBe('well');
  });
});

describe('beside the turns', () => {
  test('tokens are counted, titles given, routes chosen, and no script is asked', async () => {
    const server = await serve(() => {
      throw new Error('the script was asked');
    });
    const answers = await Promise.all([
      post(`${server.url}/v1/messages/count_tokens`, { messages: [] }),
      post(`${server.url}/v1/messages`, { messages: [{ role: 'user', content: 'x' }], system: 'Write a short title for this conversation.' }),
      post(`${server.url}/v1beta/models/m:countTokens`, { contents: [] }),
      post(`${server.url}/v1beta/models/m:generateContent`, { contents: [], generationConfig: { responseMimeType: 'application/json', responseJsonSchema: { type: 'OBJECT', properties: { complexity_score: { type: 'INTEGER' } } } } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(server.sides().map(({ side }) => side).toSorted()).toEqual(['router', 'title', 'tokens', 'tokens']);
    expect([server.turns(), await answers[3]?.text()]).toEqual([[], expect.stringContaining('{\\"complexity_score\\":1}')]);
  });

  test('a path of no known API is a stranger', async () => {
    const server = await serve([]);
    expect((await fetch(`${server.url}/v2/other`)).status).toBe(404);
    expect(server.strangers).toEqual(['GET /v2/other']);
  });

  test('a script that throws is told to the client as a mistake that no retry mends', async () => {
    const server = await serve(() => {
      throw new Error('no such prompt');
    });
    const answer = await post(`${server.url}/v1/responses`, { input: [] });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('no such prompt')]);
  });
});
