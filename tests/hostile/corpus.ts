/**
 * Instruction files as nobody should write them, with the verdict the door must give. `task` is accepted;
 * `line` is set aside, with the line a person is sent to.
 */

export type Expected =
  | { readonly verdict: 'task'; readonly has?: Readonly<Record<string, unknown>> }
  | { readonly verdict: 'quarantined'; readonly line: number; readonly reason?: RegExp };

export interface HostileCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly expected: Expected;
}

/** Set where code would leave its mark if any were run. */
export const MARKER_VARIABLE = 'CAMBIUM_HOSTILE_MARKER';
const BOOM = `require('fs').writeFileSync(process.env.${MARKER_VARIABLE}, 'ran')`;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const front = (yaml: string, body = 'Do it.'): string => `---\n${yaml}\n---\n${body}\n`;

function bad(name: string, content: string | Uint8Array, line: number, reason?: RegExp): HostileCase {
  return { name, bytes: typeof content === 'string' ? utf8(content) : content, expected: { verdict: 'quarantined', line, ...(reason === undefined ? {} : { reason }) } };
}

function good(name: string, content: string | Uint8Array, has?: Readonly<Record<string, unknown>>): HostileCase {
  return { name, bytes: typeof content === 'string' ? utf8(content) : content, expected: { verdict: 'task', ...(has === undefined ? {} : { has }) } };
}

/** What gray-matter would look for a language in, and what it would run. */
const FENCES = [
  '---js', '--- js', '---javascript', '--- javascript', '---JS', '---Js', '---JavaScript', '---coffee', '---coffeescript', '---cson', '---json', '---toml', '---yaml', '--- yaml', '---yml',
  '---constructor', '---__proto__', '---toString', '---hasOwnProperty', '---\tjs', '---  js  ', '---js\t', '----', '-----js', '---!js', '---,js', '---\u00a0js', '---\u00a0', '--- # js', '---\u200b',
];

const fences: readonly HostileCase[] = FENCES.map((fence) => bad(`fence ${JSON.stringify(fence)}`, `${fence}\n${BOOM}\n---\nDo it.\n`, 1, /Line 1/));

const execution: readonly HostileCase[] = [
  bad('an immediately called function as a language', `---js\n(function(){ ${BOOM}; return {} })()\n---\n`, 1),
  bad('a fence that is closed by a language', `---\ntitle: x\n---js\n${BOOM}\n---\n`, 3),
  bad('a second front matter inside the first', `---\ntitle: x\n--- js\n${BOOM}\n---\n`, 3),
  bad('!!js/function', front(`title: x\nrun: !!js/function 'function(){ ${BOOM.replaceAll('\'', '"')} }'`), 3),
  bad('!!js/undefined', front('x: !!js/undefined'), 2),
  bad('!!js/regexp', front('x: !!js/regexp /a/'), 2),
  bad('!!python/object', front('x: !!python/object/apply:os.system [id]'), 2),
  bad('a local tag', front('x: !ruby/object:Gem {}'), 2),
  bad('a verbatim tag', front('x: !<tag:yaml.org,2002:js/function> "1"'), 2),
  bad('!!binary', front('x: !!binary aGk='), 2, /tag/i),
  bad('!!set', front('x: !!set {a, b}'), 2, /tag/i),
  bad('!!timestamp', front('x: !!timestamp 2026-11-20'), 2, /tag/i),
  bad('!!omap', front('x: !!omap [a: 1]'), 2, /tag/i),
  good('code as the body', `${BOOM}\n`, { title: 'x' }),
  good('code as a plain value', front('note: "=cmd|calc"')),
  good('a fence in the body', 'Do it.\n\n---js\nprocess.exit(1)\n\n---\n', { title: 'x' }),
  good('a template in the title', front('title: "${process.exit(1)} {{7*7}}"'), { title: '${process.exit(1)} {{7*7}}' }),
  good('excerpt_separator steers nothing', front('excerpt_separator: it'), { extra: { excerpt_separator: 'it' } }),
  good('an excerpt separator that is an object', front('excerpt_separator: { toString: 1 }')),
];

const bytes: readonly HostileCase[] = [
  bad('an empty file', '', 1, /does not say/),
  bad('blanks only', '\n\n  \n', 1),
  bad('front matter without title or body', '---\npriority: 1\n---\n', 1),
  bad('NUL in the body', 'Do\nit\0now\n', 2, /NUL/),
  bad('NUL in the front matter', '---\ntitle: a\0b\n---\n', 2, /NUL/),
  bad('a byte order mark', '\ufeffDo it.\n', 1, /byte order/),
  bad('a byte order mark before a fence', '\ufeff---\ntitle: x\n---\n', 1, /byte order/),
  bad('UTF-16 little endian', Uint8Array.of(0xff, 0xfe, 0x44, 0, 0x6f, 0), 1, /UTF-16/),
  bad('UTF-16 big endian', Uint8Array.of(0xfe, 0xff, 0, 0x44, 0, 0x6f), 1, /UTF-16/),
  bad('UTF-16 without a mark', Uint8Array.of(0x44, 0, 0x6f, 0, 0x0a, 0), 1, /NUL/),
  bad('Windows line ends', '---\r\ntitle: x\r\n---\r\n', 1, /carriage/),
  bad('one carriage return', 'one\ntwo\rthree\n', 2, /carriage/),
  bad('a stray continuation byte', Uint8Array.of(0x61, 0x0a, 0x80, 0x0a), 2, /UTF-8/),
  bad('an overlong slash', Uint8Array.of(0x61, 0xc0, 0xaf), 1, /UTF-8/),
  bad('an encoded surrogate', Uint8Array.of(0xed, 0xa0, 0x80), 1, /UTF-8/),
  bad('a truncated sequence', Uint8Array.of(0x61, 0x0a, 0x62, 0x0a, 0xe2, 0x82), 3, /UTF-8/),
  bad('Latin-1', Uint8Array.of(0x4d, 0xfc, 0x6c, 0x6c, 0x0a), 1, /UTF-8/),
  bad('beyond Unicode', Uint8Array.of(0xf4, 0x90, 0x80, 0x80), 1, /UTF-8/),
  bad('a megabyte and one byte', 'x'.repeat(1_048_577), 1, /bytes/),
  good('a megabyte', 'x'.repeat(1_048_576)),
  bad('64 KiB and more of front matter', front(`title: ${'x'.repeat(65_536)}`), 1, /front matter is/),
  good('just under 64 KiB of front matter', front(`note: ${'x'.repeat(65_000)}`)),
  bad('64 KiB of blank lines', front(`title: x${'\n'.repeat(60_000)}`), 1_003, /blank/),
  bad('a kilobyte of spaces', front(`title: x\nnote: ${' '.repeat(2_000)}y`), 3, /blank/),
  bad('conflict markers', 'a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> theirs\n', 2, /conflict/),
  bad('conflict markers in the front matter', '---\n<<<<<<< HEAD\ntitle: a\n=======\ntitle: b\n>>>>>>> x\n---\n', 2, /conflict/),
  bad('the end of a conflict', 'a\n>>>>>>> theirs\n', 2, /conflict/),
  good('a heading that looks like a conflict', 'Title\n=======\n', { title: 'Title' }),
  good('indented conflict markers', 'Mend this:\n\n    <<<<<<< HEAD\n'),
  good('emoji and combining letters', '# Zoë ✓ 任务\n', { title: 'Zoë ✓ 任务' }),
];

const shapes: readonly HostileCase[] = [
  bad('front matter that is never closed', '---\ntitle: pen', 1, /never closed/),
  bad('a fence and nothing else', '---', 1, /never closed/),
  bad('a half-saved file', '---\ntitle: x\ndepends_on: [a', 1, /never closed/),
  bad('closed by four dashes', '---\ntitle: x\n----\n', 3),
  bad('closed by an indented fence', '---\ntitle: x\n ---\n', 1, /never closed/),
  bad('closed by dots', '---\ntitle: x\n...\nDo it.\n', 1),
  bad('a document end inside', '---\ntitle: x\n...\npriority: 1\n---\n', 3),
  bad('a YAML directive', '---\n%YAML 1.1\ntitle: x\n---\nx\n', 2),
  bad('a TAG directive', '---\n%TAG ! tag:evil,2026:\ntitle: x\n---\nx\n', 2),
  bad('a list', front('- a\n- b'), 2),
  bad('a scalar', front('hello'), 2),
  bad('a broken key', front('title: x\nstat'), 3),
  bad('a tab as indent', front('a:\n\tb: 1'), 3),
  bad('a key twice', front('title: x\ntitle: y'), 3, /twice/),
  bad('a nested key twice', front('a: { b: 1, b: 2 }'), 2, /twice/),
  bad('a key twice, once quoted', front('title: x\n"title": y'), 3, /twice/),
  bad('a merge key', front('a: &x { p: 1 }\nb:\n  <<: *x'), 4, /</),
  bad('__proto__', front('__proto__: { admin: true }'), 2, /__proto__/),
  bad('a nested __proto__', front('a: { b: { __proto__: { c: 1 } } }'), 2, /__proto__/),
  good('constructor and prototype are plain keys', front('constructor: { prototype: { a: 1 } }')),
  bad('a list as a key', front('? [a, b]\n: 1'), 2),
  bad('an unknown alias', front('title: *nobody'), 2),
  bad('a bold value', front('title: **bold**'), 2),
  bad('an alias in a circle', front('a: &a [*a]'), 2),
  bad('billion laughs', front('a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]'), 3, /aliases/),
  bad('thousands of aliases', front(`a: &a x\nb: [${Array.from({ length: 5_000 }, () => '*a').join(',')}]`), 3, /aliases/),
  good('a few aliases', front('a: &a x\nb: [*a, *a]'), { extra: { a: 'x', b: ['x', 'x'] } }),
  bad('ten thousand open brackets', front(`a: ${'['.repeat(10_000)}`), 2),
  bad('ten thousand brackets', front(`a: ${'['.repeat(10_000)}${']'.repeat(10_000)}`), 2),
  bad('forty levels', front(`a: ${'['.repeat(40)}${']'.repeat(40)}`), 2, /nested/),
  good('twenty levels', front(`a: ${'['.repeat(20)}${']'.repeat(20)}`)),
  bad('ten thousand dashes', front(`a:\n${'- '.repeat(10_000)}`), 3),
  bad('ten thousand question marks', front('? '.repeat(10_000)), 2),
  bad('ten thousand braces', front(`a: ${'{a: '.repeat(10_000)}`), 2),
  good('ten thousand keys', front(Array.from({ length: 10_000 }, (_, key) => `${key.toString(36)}_:`).join('\n'))),
  good('five thousand anchors', front(`a:\n${Array.from({ length: 5_000 }, (_, at) => `- &a${at} x`).join('\n')}`)),
  bad('thirty thousand commas', front(`a: [${','.repeat(30_000)}]`), 2),
  bad('an open quote', front(`a: "${'\\\n'.repeat(20_000)}`), 20_002),
  bad('a tag of thirty thousand letters', front(`a: !<${'x'.repeat(30_000)}> b`), 2),
  good('comments only', '---\n# nothing\n---\nDo it.\n'),
  good('an empty front matter', '---\n---\nDo it.\n'),
  good('blanks after the fences', '---  \ntitle: x\n--- \t\nDo it.\n', { title: 'x' }),
  good('no front matter', 'Do it.\n', { title: 'x', priority: 2 }),
  good('a rule in the body', front('title: a', 'one\n\n---\n\ntwo'), { title: 'a' }),
  good('a block scalar with an indented fence', front('note: |\n  ---\n  js'), { extra: { note: '---\njs\n' } }),
];

const values: readonly HostileCase[] = [
  bad('a title that is a list', front('title: [a]'), 2, /title/),
  bad('a title that is a map', front('title: { a: 1 }'), 2),
  bad('a title with a line break', front('title: "a\\nb"'), 2),
  bad('a title with an escape sequence', front('title: "\\e[2Jgone"'), 2),
  bad('a title that turns text around', front('title: "abc\\u202Edcba"'), 2),
  bad('an escaped NUL', front('verify: "a\\0b"'), 2),
  bad('priority 9', front('title: x\npriority: 9'), 3, /priority/),
  bad('priority -1', front('priority: -1'), 2),
  bad('priority in words', front('priority: high'), 2),
  bad('a fractional priority', front('priority: 1.5'), 2),
  bad('a quoted priority', front('priority: "1"'), 2),
  bad('an endless timeout', front('timeout_minutes: .inf'), 2),
  bad('a timeout that is no number', front('timeout_minutes: .nan'), 2),
  bad('a negative budget', front('budget_usd: -5'), 2),
  bad('a million attempts', front('max_attempts: 1000000'), 2),
  bad('no attempts', front('max_attempts: 0'), 2),
  bad('an id of digits', front('depends_on: [007]'), 2, /depends_on\.0/),
  bad('an id with dots', front('title: x\ndepends_on:\n  - ok\n  - a..b'), 3, /depends_on\.1/),
  bad('an id that climbs', front('depends_on: ../../etc/passwd'), 2),
  bad('an id that is an option', front('depends_on: ["--upload-pack=x"]'), 2),
  bad('a map where an id is expected', front('depends_on: [a: 1]'), 2),
  bad('a device name as an agent', front('assigned_to: con'), 2),
  bad('a reserved agent', front('assigned_to: channels'), 2),
  bad('a boolean as an agent', front('assigned_to: true'), 2),
  bad('a review that is a boolean', front('review: true'), 2),
  bad('a parent in capitals', front('parent: Release'), 2),
  bad('a provider that is a path', front('provider: ../evil'), 2),
  bad('a model that is an option', front('model: --dangerously-skip-permissions'), 2, /model/),
  bad('a context file that climbs', front('context_files: [docs/../../secret]'), 2),
  bad('an absolute context file', front('context_files: /etc/passwd'), 2),
  bad('a context file below .git', front('context_files: [.git/config]'), 2),
  bad('a context file below .GIT', front('context_files: [a/.GIT/config]'), 2),
  bad('a context file below .git with a dot', front('context_files: [".git./config"]'), 2),
  bad('a context file below the short name', front('context_files: [git~1/config]'), 2),
  bad('a context file below an invisible .git', front('context_files: [".g\\u200bit/config"]'), 2),
  bad('a context file with a stream', front('context_files: [".git::$INDEX_ALLOCATION/config"]'), 2),
  bad('an escaped climb', front('context_files: ["%2e%2e/secret"]'), 2),
  bad('a backslash', front('context_files: ["..\\\\secret"]'), 2),
  bad('a drive', front('working_directory: "C:/Windows"'), 2),
  bad('a working directory that is an option', front('working_directory: -rf'), 2),
  bad('a working directory that climbs', front('working_directory: ..'), 2),
  good('a path with dots in names', front('context_files: ["a..b/.github/x", ./docs//api.md]'), { contextFiles: ['a..b/.github/x', 'docs/api.md'] }),
  bad('an empty verify', front('verify: ""'), 2),
  bad('an empty verify list', front('verify: []'), 2),
  bad('a verify that is an option', front('verify: ["-c", "x"]'), 2),
  bad('a verify with a number inside a map', front('verify: [{ a: 1 }]'), 2),
  bad('the 30th of February', front('not_before: 2026-02-30'), 2),
  bad('a time in words', front('not_before: tomorrow'), 2),
  bad('a time of 25 hours', front('not_before: 2026-02-01T25:00:00Z'), 2),
  bad('criteria that are a map', front('acceptance_criteria:\n  - Works: yes'), 2),
  bad('labels of nothing', front('labels: [" "]'), 2),
  bad('a newer format', front('schema: cambium.task/2'), 2, /schema-too-new/),
  good('values nobody filled in', front('assigned_to:\ndepends_on:\nverify: ~'), { dependsOn: [], title: 'x' }),
  good('unknown keys', front('due: 2026-11-20\nver: 1.10\nbuild: 007\nsha: 12e5\nat: 1:30\noct: 0o17\nbig: 12345678901234567890\ncount: 3\nok: yes\nreally: true'), {
    extra: { due: '2026-11-20', ver: '1.10', build: '007', sha: '12e5', at: '1:30', oct: '0o17', big: '12345678901234567890', count: 3, ok: 'yes', really: true },
  }),
  good('a title that is a version', front('title: 1.10'), { title: '1.10' }),
  good('a title that is a date', front('title: 2026-11-20'), { title: '2026-11-20' }),
  good('a model that is a number', front('model: 4.10'), { model: '4.10' }),
  good('verify: true is the command', front('verify: true'), { verify: 'true' }),
  good('an argument vector of numbers', front('verify: [sleep, 1.50]'), { verify: ['sleep', '1.50'] }),
  good('a date', front('not_before: 2026-11-20'), { notBefore: '2026-11-20T00:00:00.000Z' }),
  good('a time with an offset', front('not_before: 2026-11-20T01:30:00+02:00'), { notBefore: '2026-11-19T23:30:00.000Z' }),
  good('a single string for a list', front('labels: web\ndepends_on: add-login'), { labels: ['web'], dependsOn: ['add-login'] }),
];

export const CORPUS: readonly HostileCase[] = [...fences, ...execution, ...bytes, ...shapes, ...values];

/** Names below `tasks/` and what they are: `good` a task's file, `bad` set aside, `none` no task's. */
export const NAMES: readonly (readonly [path: string, verdict: 'good' | 'bad' | 'none', proposed?: string])[] = [
  ['tasks/add-login.md', 'good'], ['tasks/web/add-login.md', 'good'], ['tasks/a.md', 'good'], ['tasks/add_login-2.result.md', 'good'], ['tasks/x.claim.json', 'good'], ['tasks/Web UI/x.md', 'good'],
  ['tasks/README.md', 'none'], ['tasks/_draft.md', 'none'], ['tasks/.hidden.md', 'none'], ['tasks/_old/Bad Name.md', 'none'], ['tasks/archive/2026-10/Bad Name.md', 'none'], ['tasks/notes.txt', 'none'], ['memory/Bad Name.md', 'none'],
  ['tasks/Add Login!.md', 'bad', 'add-login.md'], ['tasks/123.md', 'bad', 'task-123.md'], ['tasks/con.md', 'bad', 'task-con.md'], ['tasks/NUL.md', 'bad'], ['tasks/com1.md', 'bad', 'task-com1.md'],
  ['tasks/a.b.md', 'bad', 'a-b.md'], ['tasks/a..b.md', 'bad', 'a-b.md'], ['tasks/a.lock.md', 'bad', 'a-lock.md'], ['tasks/-rf.md', 'bad', 'rf.md'], ['tasks/--help.md', 'bad', 'help.md'], ['tasks/a-.md', 'bad', 'a.md'],
  ['tasks/ümläut.md', 'bad', 'u-mla-ut.md'], ['tasks/任务.md', 'bad', 'task.md'], [`tasks/${'a'.repeat(64)}.md`, 'bad', `${'a'.repeat(58)}.md`], ['tasks/a\u202eb.md', 'bad', 'a-b.md'], ['tasks/a\nb.md', 'bad', 'a-b.md'],
  ['tasks/x;rm -rf ~.md', 'bad', 'x-rm--rf.md'], ['tasks/$(id).md', 'bad', 'id.md'], ['tasks/foo.result.result.md', 'bad', 'foo-result.result.md'], ['tasks/Foo.claim.json', 'bad', 'foo.claim.json'],
  ['tasks/ADD.MD', 'bad', 'add.md'], ['tasks/plan.markdown', 'bad', 'plan.md'], ['tasks/aux/x.md', 'bad'], ['tasks/a\\b/x.md', 'bad'], ['tasks/web./x.md', 'bad'], ['tasks/-o/x.md', 'bad'], ['tasks/git~1/x.md', 'bad'], ['tasks/c:/x.md', 'bad'],
];
