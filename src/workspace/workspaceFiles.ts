/** What a new workspace holds. Existing files are never touched. */

/** `template` is the example of an instruction file that comes with cambium. */
export function workspaceFiles(branch: string, template: string): ReadonlyMap<string, string> {
  return new Map([
    ['cambium.yaml', config(branch)],
    ['tasks/README.md', TASKS],
    ['templates/task.md', template],
    ['self-model.md', SELF],
    ['agents/README.md', AGENTS],
    ['memory/README.md', MEMORY],
  ]);
}

const config = (branch: string): string => `# The fleet's settings. A bad edit keeps the last good version in force, and \`cambium status\` says where it is bad.
schema: cambium.fleet/1
branch: ${branch}

# Who works here. node: "*" runs the agent on every node, or name one node.
agents:
  worker-1: { role: worker, node: "*", provider: runbook }

defaults: { provider: runbook, max_attempts: 3, timeout_minutes: 10 }

# \`runbook\` runs the \`sh\` blocks of an instruction file, in order: no key, no network, no agent.
# For an agent CLI, define it here and give it to an agent above (provider: mycli). The prompt comes on standard
# input and as {prompt_file}; the agent writes its report to {result_file}.
# providers:
#   mycli: { command: [mycli, run, --prompt-file, "{prompt_file}"] }
`;

const TASKS = `# Tasks

One Markdown file a task: drop it here, and the fleet does the rest. \`ls\` tells the story:

- \`add-login.md\` is ready (or waits: \`cambium task show add-login\` says why)
- \`add-login.claim.json\` beside it: somebody works on it
- \`add-login.result.md\` beside it: it has ended, and how

Front matter is optional: \`title, priority (0 first … 4), assigned_to, depends_on, context_files, acceptance_criteria,
verify (a command that must pass), max_attempts, timeout_minutes\`. Write everything a worker needs: it knows nothing
but this file and its context files. \`templates/task.md\` is an example.
`;

const SELF = `# How this fleet works

Everything the fleet knows is a file in this repository. Tasks are in \`tasks/\`, who takes part in \`agents/\`, what was
learned in \`memory/\`. Agents claim a task, work in a worktree of their own, and land work and result in one push.
`;

const AGENTS = `# Agents

\`<agent>.md\` is what an agent says of itself: strengths, limits, current focus. \`roster.json\` and \`spawns/\` are written by
the fleet.
`;

const MEMORY = `# Memory

\`project/\`: the people's constraints and live work. \`<agent>/\`: what each agent remembers.
`;
