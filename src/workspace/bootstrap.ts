/** The first push into a hub: main and the marker, in one atomic push. */
import { CambiumError } from '../errors.ts';
import { machineSignature } from '../model/message.ts';
import { FLEET_REF, branchRef } from '../model/layout.ts';
import type { RefUpdate } from '../model/git.ts';
import type { Oid } from '../model/ids.ts';
import { renderFleetRecord } from '../observe/fleetRecord.ts';
import { tryGit } from '../adapters/git/run.ts';
import type { Clone, GitPlace } from './clone.ts';

/** The embedded hub starts with what the branch holds; later calls find it there and do nothing. */
export async function bootstrapEmbedded(clone: Clone, place: GitPlace): Promise<void> {
  if (clone.mirror.known().refs.has(FLEET_REF)) return;
  const view = await clone.mirror.refresh();
  if (view.refs.has(FLEET_REF)) return;
  const tip = (await clone.store.readRef(branchRef(clone.branch))) ?? (await headCommit(place));
  await pushMarker(clone, tip);
}

async function headCommit({ gitDir }: GitPlace): Promise<Oid> {
  const head = await tryGit(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { gitDir });
  if (head.code === 0) return head.stdout.toString('utf8').trim();
  throw new CambiumError('not-a-workspace', 'This repository has no commit yet.', { hint: 'Run `cambium init`: it makes the first one.' });
}

/** Creates the marker, and main where the hub has none. Two that do it at once agree: one wins, the other joins. */
export async function pushMarker(clone: Clone, tip: Oid, more: readonly RefUpdate[] = []): Promise<void> {
  const { mirror, branch } = clone;
  const marker = await markerCommit(clone);
  const create: RefUpdate[] = mirror.known().main === null ? [{ ref: branchRef(branch), expect: null, to: tip }] : [];
  const updates = [{ ref: FLEET_REF, expect: null, to: marker }, ...create, ...more];
  const outcome = await clone.hub.push(updates);
  if (outcome.kind === 'accepted') return mirror.adopt(updates);
  if ((await mirror.refresh()).refs.has(FLEET_REF)) return;
  throw new CambiumError(outcome.kind === 'unknown' ? 'outcome-unknown' : 'hub-policy', `The hub did not take the fleet's marker: ${outcome.detail}`, { hint: 'Allow this user to create refs/cambium/* there, then try again.' });
}

async function markerCommit({ store, clock, branch }: Clone): Promise<Oid> {
  const fleet = `f-${Buffer.from(clock.randomBytes(4)).toString('hex')}`;
  const record = { schema: 'cambium.hub/1' as const, fleet, format: 1 as const, generation: 1, branch, created: clock.now().toISOString() };
  const blob = await store.writeBlob(Buffer.from(renderFleetRecord(record)));
  const tree = await store.writeTree([{ mode: '100644', name: 'fleet.json', oid: blob }]);
  const signature = machineSignature('cambium', 'node', clock.now());
  return store.writeCommit({ tree, parents: [], author: signature, committer: signature, message: `fleet ${fleet}\n` });
}
