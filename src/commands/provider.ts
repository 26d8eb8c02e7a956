/** `cambium provider list`: what can run agents here, and what is parked until when. */
import { plain } from '../workspace/plain.ts';
import { listProviders } from '../workspace/providers.ts';
import type { ListedProvider } from '../workspace/providers.ts';
import { withSession } from '../workspace/session.ts';
import { table } from './output.ts';
import type { Answer } from './output.ts';

export function providersCommand(): Promise<Answer> {
  return withSession({ needsHub: false }, async (session) => {
    const providers = await listProviders(session);
    return { data: { providers }, text: `${table(providers.map(row))}${providers.flatMap(parked).join('')}` };
  });
}

function row({ name, version, unavailable, agents, fallbackOf, paused, parks }: ListedProvider): readonly string[] {
  const state = paused !== null ? 'paused' : parks.length > 0 ? 'parked' : version !== null ? 'there' : 'missing';
  const uses = [...(agents.length === 0 ? [] : [agents.join(', ')]), ...(fallbackOf.length === 0 ? [] : [`fallback of ${fallbackOf.join(', ')}`])].join('; ');
  return [name, state, version ?? '', uses === '' ? (unavailable ?? '') : `${uses}${unavailable === null ? '' : `: ${unavailable}`}`].map((cell) => plain(cell).replace(/\s+/g, ' '));
}

function parked({ name, parks, paused }: ListedProvider): readonly string[] {
  return [
    ...(paused === null ? [] : [`\n${name} is paused by ${paused.by.replace(/^human:/, '')}${paused.why === null ? '' : `: ${paused.why}`}`]),
    ...parks.map(({ node, failure, until, reason }) => `\n${name} is parked on ${node} ${until === null ? 'until it is resumed' : `until ${until.slice(0, 19)}Z`} (${failure.replace('_', ' ')}): ${reason}`),
  ].map((line) => plain(line));
}
