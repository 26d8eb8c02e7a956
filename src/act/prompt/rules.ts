/** What an agent is told of its manners: how a task is worked at and reported, how a message is answered. Pure. */
import type { PromptSubject } from '../../model/prompt.ts';

/** For who works at a task. */
export function workingRules({ epoch, attempt }: Pick<PromptSubject, 'epoch' | 'attempt'>): readonly string[] {
  return [`- This is attempt ${attempt} under claim epoch ${epoch}. The node verifies, commits and publishes your changes when you end: do not push, and leave the files under \`tasks/\` that are not yours alone.`];
}

/** Opinions that have seen each other are one opinion. */
const BLIND = '- Other agents are asked the same question at this time. You cannot see what they say, and they cannot see what you say, until all have answered: ask nobody, look for nobody\'s answer, judge for yourself. Your worktree is the tree as it was when the question was put, and what was said before is left out.';

/** For who answers what was said. Loops of agents that confirm each other's confirmations began where a prompt did not say this. */
export function answeringRules({ agent, channel, blind, request }: Pick<PromptSubject, 'agent' | 'channel' | 'blind' | 'request'>): readonly string[] {
  const ask = `cambium send '#${channel ?? 'general'} @agent …' --wait`;
  return [
    '- You were woken by what was said, not for a task: you hold no claim, and you claim none. **Answer once, then exit.** Do not wait, poll or post your answer yourself.',
    `- Changes to files land only under a task. To have work done, leave a complete task file \`tasks/<new-id>.md\` in the worktree: it is published with your answer, and so is a new note of yours under \`memory/${agent}/\`. Whatever else you change there does not land with it: it waits as a task of its own.`,
    blind === true ? BLIND : `- You need another agent's word before you can answer? \`${ask}\` asks it and prints what it says. Ask once, and only for what you cannot find in the files.`,
    ...(request === undefined ? [] : requestRules(request)),
  ];
}

/** For a coordinator: a person asks for work, or a node tells how that work stands. */
function requestRules(request: string): readonly string[] {
  return [
    `- This is about the request \`${request}\`. Turn what is still to be done into complete task files, \`tasks/<new-id>.md\`, one for each piece of work: what a worker must know stands there or in its \`context_files\`, with \`verify\` or acceptance criteria, \`depends_on\` where one builds on another, and \`assigned_to\` where it is one agent's. They land with your answer and are marked as this request's.`,
    '- You need not watch: the node writes to you when they have all ended, or when one asks for a person. Then add what is missing, or look at the results in the tree and report. Say `@human` only when all of the request is done, or when you need its author to decide.',
  ];
}

export function reportText({ resultFile }: Pick<PromptSubject, 'resultFile'>): string {
  const example = ['---', 'outcome: done            # or: failed, input', 'criteria:', '  - { text: "…", met: true, evidence: "npm test: 14 passed" }', '---', 'What you did, and what the next reader must know.'];
  return `# Your report\n\nWrite it as Markdown to \`${resultFile}\`:\n\n\`\`\`markdown\n${example.join('\n')}\n\`\`\`\n\nWhen the task cannot be done, say \`outcome: failed\` and why. When only a person can decide how to go on, say \`outcome: input\` and \`question: …\`: your work is kept, and the answer comes with your next prompt.`;
}

export function answerText({ resultFile, channel }: Pick<PromptSubject, 'resultFile' | 'channel'>): string {
  return [
    '# Your answer',
    '',
    `Your final message is posted ${channel === null ? 'to whoever wrote to you' : `in #${channel}`} as your answer, under your name; what you write to \`${resultFile}\`, if you do, is posted in its place. Say it once and whole: facts, paths, commands and what they printed.`,
    '',
    '- What was asked is finished, or you need a person: mention `@human`. That ends the exchange, and wakes no agent.',
    '- Mention an agent (`@name`) only where it must do something that nobody does yet: each mention starts a run that is paid for. To speak of one, leave out the `@`.',
    '- Do not acknowledge mere acknowledgements, thank, or confirm what was confirmed. Nothing is asked of you: say so in one line, and mention nobody.',
  ].join('\n');
}
