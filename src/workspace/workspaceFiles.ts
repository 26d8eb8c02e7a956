/** What a new workspace holds. Existing files are never touched. */
import { packageFile } from '../adapters/system/version.ts';
import { constitutionPath } from '../model/layout.ts';
import { HOOK_FILES, hookFile } from './agentHooks.ts';

/** Files of the package that a workspace gets as they are, at the same paths. The schemas are found by editors without a network. */
const SHIPPED = ['templates/WORKER_CLAUDE.md', 'templates/COORDINATOR_CLAUDE.md', 'templates/schemas/cambium.schema.json', 'templates/schemas/instruction.schema.json'] as const;

/** What agents may be given by `constitution:` in cambium.yaml, as a point of view of their own. */
export const CONSTITUTIONS = ['implementer', 'architect', 'reviewer', 'skeptic', 'grounder', 'steward', 'coordinator'] as const;

/** What agents read on waking. Those at the package's own top are for who develops cambium. */
const FIRST_PAGES = ['AGENTS.md', 'CLAUDE.md'] as const;

/** By path. `template` is the example of an instruction file that comes with cambium. */
export function workspaceFiles(branch: string, template = packageFile('templates/task.md')): ReadonlyMap<string, string> {
  return new Map([
    ['cambium.yaml', config(branch)],
    ...FIRST_PAGES.map((path): [string, string] => [path, packageFile(`templates/${path}`)]),
    ['tasks/README.md', TASKS],
    ['templates/task.md', template],
    ...[...SHIPPED, ...CONSTITUTIONS.map(constitutionPath)].map((path): [string, string] => [path, packageFile(path)]),
    ['self-model.md', SELF],
    ['agents/README.md', AGENTS],
    ['memory/README.md', MEMORY],
    ['hooks/README.md', HOOKS],
    [HOOK_FILES.claude, hookFile('claude')],
  ]);
}

const config = (branch: string): string => `# yaml-language-server: $schema=templates/schemas/cambium.schema.json
# The fleet's settings. A bad edit keeps the last good version in force, and \`cambium status\` says where it is bad.
schema: cambium.fleet/1
branch: ${branch}

# Who works here. node: "*" runs the agent on every node, or name one node.
agents:
  worker-1: { role: worker, node: "*", provider: runbook }

defaults: { provider: runbook, max_attempts: 3, timeout_minutes: 10 }

# \`runbook\` runs the \`sh\` blocks of an instruction file, in order: no key, no network, no agent.
# An agent CLI that is installed and logged in needs no more than its name above: claude, codex, gemini or opencode
# (provider: claude, fallback: [codex]). Any other program by its command: the prompt comes on standard input and as
# {prompt_file}; the agent writes its report to {result_file}.
# providers:
#   mycli: { command: [mycli, run, --prompt-file, "{prompt_file}"] }
`;

const TASKS = `# Tasks

One Markdown file a task: drop it here, and the fleet does the rest. \`ls\` tells the story:

- \`add-login.md\` is ready, or waits: \`cambium explain add-login\` says for what, and what would make it run
- \`add-login.claim.json\` beside it: somebody works on it
- \`add-login.result.md\` beside it: it has ended, and how

The name is the task's id: lower-case letters, digits, \`-\` and \`_\`, never used twice. Names that begin with \`_\` or \`.\` are
no tasks; drafts may lie here under such a name. Ended tasks move to \`archive/\` after a while.

Write everything a worker needs: it knows nothing but this file, its context files and the repository.
\`templates/task.md\` is a whole example, \`templates/COORDINATOR_CLAUDE.md\` shows good and bad ones. Front matter is
optional: \`title, priority (0 first … 4), assigned_to, role, requires, depends_on, context_files, working_directory,
project, acceptance_criteria, verify (a command that must pass), review, provider, model, max_attempts, timeout_minutes,
not_before, parent, labels\`.

\`\`\`sh
cambium check
cambium task list
\`\`\`
`;

const SELF = `# How this fleet works

Everything the fleet knows is a file in this repository. Tasks are in \`tasks/\`, who takes part in \`agents/\`, what was
learned in \`memory/\`: these three are the fleet's own, and all else is the work. Agents claim a task, work in a worktree of
their own, and land work and result in one push.
`;

const AGENTS = `# Agents

- \`<agent>.md\`: what an agent says of itself: strengths, limits, current focus.
- \`roster.json\`: who has taken part, with which role and provider, last active when. Written by the fleet.
- \`spawns/\`: one record a run: what was started, how it ended, what it used. Written by the fleet.

Who runs where is said in \`cambium.yaml\`, not here. An agent that works from the command line joins with its first result.
`;

const MEMORY = `# Memory

- \`project/\`: the people's constraints and live work, for every agent to read.
- \`<agent>/\`: what an agent wants to be known after it has ended. Agents add files, one a topic
  (\`2026-11-21-flaky-login-test.md\`), and change none; a person may tidy up.

What belongs to one task goes into its report, and what belongs to the code into the code's own docs.
`;

const HOOKS = `# Hooks

Executables that react to what happens in the fleet: \`on-task-done\`, \`on-task-failed\`, \`on-task-input\`, \`on-review\`,
\`on-message\`, \`on-human\` and others, with any ending or none. Each is run with the event as JSON on standard input.

They run only as they stand on the fleet's branch, and only on machines whose owner has said so there:
\`git config cambium.hooks true\`.
`;
