/**
 * `cambium upgrade` (docs/decisions/0013-upgrade.md): newer framework code into a used clone of the framework's own repository,
 * or newer shipped files into a workspace that `cambium init` made. The fleet's state is never touched, and nothing that
 * comes over the network is run.
 */
import { UPGRADE_KEY, planUpgrade, upgradeMember } from '../act/upgrade.ts';
import type { UpgradePlan, Upgraded } from '../act/upgrade.ts';
import { publish } from '../act/publish.ts';
import type { Published } from '../act/publish.ts';
import { commitNamed, fetchUpstream, isUpstreamUrl, uncommittedPaths } from '../adapters/git/upstream.ts';
import type { Upstream } from '../adapters/git/upstream.ts';
import { gitText } from '../adapters/git/run.ts';
import { packageFile } from '../adapters/system/version.ts';
import { CambiumError } from '../errors.ts';
import type { Oid } from '../model/ids.ts';
import { compareVersions } from '../model/version.ts';
import { fileAt, treeOf } from '../observe/tree.ts';
import type { Store } from '../ports/store.ts';
import { published } from './published.ts';
import { actor, daemonRuns } from './session.ts';
import type { Session } from './session.ts';
import { syncAfterward, syncCheckout } from './sync.ts';
import { plain } from './plain.ts';
import { upgradeFiles } from './upgradeFiles.ts';
import type { UpgradeReport } from './upgradeReport.ts';

export interface UpgradeOptions {
  /** A tag, branch or commit of the upstream; its newest release when unsaid. */
  readonly to?: string | undefined;
  /** Address of the upstream; remembered by the clone once it has served. */
  readonly from?: string | undefined;
  /** Only tell what would change. */
  readonly check?: boolean | undefined;
  /** Paths that stay as they are here where both sides changed them. */
  readonly keep?: readonly string[] | undefined;
}

/** Throws `usage` (no upstream, no such version), `refused` (conflicts, unrelated code, an agent asks), and as any push does. */
export async function upgradeWorkspace(session: Session, options: UpgradeOptions): Promise<UpgradeReport> {
  if (session.agent !== undefined) throw new CambiumError('refused', `An upgrade is a person's to ask for, not ${session.agent}'s.`, { hint: 'Run it without CAMBIUM_AGENT.' });
  const version = await frameworkVersion(session.clone.store, session.fleet.main.tree);
  if (version !== null) return upgradeCode(session, options, version);
  const { to, from, keep = [] } = options;
  if (to !== undefined || from !== undefined || keep.length > 0) {
    throw new CambiumError('usage', 'This workspace holds no code of cambium: --to, --from and --keep say nothing here.', { hint: 'Upgrade the package with npm, then run `cambium upgrade`: it brings the shipped files up to date.' });
  }
  return upgradeFiles(session, options.check === true);
}

/** The version in `package.json` of a tree that is this framework's own; null for any other tree. */
async function frameworkVersion(store: Store, tree: Oid): Promise<string | null> {
  const [file, entry] = await Promise.all([fileAt(store, tree, 'package.json'), fileAt(store, tree, 'src/cli.ts')]);
  if (file === null || entry === null) return null;
  const found = packageOf(Buffer.from(file.bytes).toString('utf8'));
  return found !== null && found.name === packageOf(packageFile('package.json'))?.name ? String(found.version) : null;
}

interface PackageNames {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly repository?: unknown;
}

function packageOf(text: string): PackageNames | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

async function upgradeCode(session: Session, options: UpgradeOptions, version: string): Promise<UpgradeReport> {
  const { clone } = session;
  const { store } = clone;
  const upstream = await fetchUpstream(clone.gitDir, upstreamUrl(session, options.from));
  const target = await targetOf(session, upstream, options.to);
  const to = await frameworkVersion(store, await treeOf(store, target));
  if (to === null) throw new CambiumError('usage', `${target.slice(0, 10)} of that repository is not the code of cambium.`, { hint: 'Name the framework\'s own repository with --from, or another version with --to.' });
  const facts = { mode: 'code' as const, from: version, to, daemon: await daemonRuns(clone) };
  const main = options.check === true || facts.daemon ? session.fleet.main.commit : await publishFirst(session);
  const base = await baseOf(store, upstream, main, target, version);
  if (base === target) return { ...facts, ...NOTHING };
  const keep = options.keep ?? [];
  const [baseTree, ours, theirs] = await Promise.all([base, main, target].map((commit) => treeOf(store, commit)));
  const planned = await planUpgrade(store, { base: baseTree as Oid, ours: ours as Oid, theirs: theirs as Oid }, keep);
  const uncommitted = await uncommittedOf(clone.root, planned.changed);
  if (options.check === true) return { ...facts, ...told(planned, target), uncommitted, commit: null };
  if (uncommitted.length > 0) {
    throw new CambiumError('refused', `The upgrade changes files that you have edited and not committed: ${plain(uncommitted.join(', '))}. Nothing was changed.`, { hint: 'Commit them, or put them aside with `git stash`, then upgrade.', data: { uncommitted } });
  }
  const by = await actor(session);
  const request = { target, base, keep, by, subject: `cambium: upgrade ${version === to ? `to ${target.slice(0, 10)}` : `${version} to ${to}`}` };
  const ends = await publish(session.node, [upgradeMember(session.node, request)]);
  const { commit, plan } = upgraded(ends.get(UPGRADE_KEY) as Published<Upgraded>, target);
  if (options.from !== undefined) await gitText(['config', 'cambium.upstream', options.from], { gitDir: clone.gitDir });
  await syncAfterward(session);
  return { ...facts, ...told(plan, target), uncommitted: [], commit };
}

const NOTHING = { commit: null, changed: [], merged: [], kept: [], conflicts: [], uncommitted: [] } as const;

/** What a person has committed and nobody has published yet is part of what is upgraded. */
async function publishFirst(session: Session): Promise<Oid> {
  await syncCheckout(session, false);
  return session.clone.mirror.known().main as Oid;
}

/** Of these paths, those whose edits are in no commit: brought up to date around them, the next commit would take the upgrade back. */
async function uncommittedOf(root: string | null, paths: readonly string[]): Promise<readonly string[]> {
  const dirty = root === null ? new Set() : await uncommittedPaths(root);
  return paths.filter((path) => dirty.has(path));
}

function told({ changed, merged, kept, conflicts }: UpgradePlan, target: Oid): Pick<UpgradeReport, 'changed' | 'merged' | 'kept' | 'conflicts'> {
  return { changed, merged, kept: kept.map((path) => ({ path, reason: `it was edited here; theirs: git show ${target.slice(0, 10)}:${path}` })), conflicts };
}

function upgraded(end: Published<Upgraded>, target: Oid): Upgraded {
  if (end.state !== 'dropped' || end.drop.code !== 'conflict') return published('The upgrade', end);
  const paths = plain(end.drop.detail).split(', ');
  throw new CambiumError('refused', `Both this fleet and the upgrade changed ${paths.join(', ')}. Nothing was changed.`, {
    hint: `Keep yours with \`--keep ${paths[0]}\` (merge by hand before, where you want both), or take theirs first: \`git checkout ${target.slice(0, 10)} -- ${paths[0]}\`, commit, then upgrade again.`,
    data: { conflicts: paths },
  });
}

/** As asked; as it served before; the remote called `upstream`; the package's own word; where this clone came from. */
function upstreamUrl({ clone }: Session, asked: string | undefined): string {
  const { settings } = clone.place;
  const origin = clone.remote === 'origin' ? undefined : settings.get('remote.origin.url');
  const url = asked ?? settings.get('cambium.upstream') ?? settings.get('remote.upstream.url') ?? repositoryOf(packageFile('package.json')) ?? origin;
  if (url === undefined) throw new CambiumError('usage', 'Where does the newer code come from?', { hint: 'Name the framework\'s repository: `cambium upgrade --from <url>`. It is remembered.' });
  if (isUpstreamUrl(url)) return url;
  throw new CambiumError('usage', 'That is no address of a repository.', { hint: 'Give a path, or an address by file, ssh or https.' });
}

function repositoryOf(text: string): string | undefined {
  const said = packageOf(text)?.repository;
  const url = typeof said === 'object' && said !== null && 'url' in said ? said.url : said;
  return typeof url === 'string' ? url.replace(/^git\+/, '') : undefined;
}

async function targetOf({ clone }: Session, { tags, branches, head }: Upstream, asked: string | undefined): Promise<Oid> {
  if (asked === undefined) {
    const target = newestRelease(tags) ?? head;
    if (target !== null) return target;
    throw new CambiumError('usage', 'That repository has neither a release nor a branch.', { hint: 'Name another with --from.' });
  }
  const target = tags.get(asked) ?? branches.get(asked) ?? (await commitNamed(clone.gitDir, asked));
  if (target !== null) return target;
  throw new CambiumError('usage', `That repository has no ${asked}.`, { hint: `Its releases: ${[...tags.keys()].slice(-5).join(', ') || 'none'}.`, data: { tags: [...tags.keys()] } });
}

function newestRelease(tags: ReadonlyMap<string, Oid>): Oid | null {
  const releases = [...tags].filter(([name]) => /^v?\d+\.\d+\.\d+$/.test(name));
  return releases.toSorted(([a], [b]) => compareVersions(a, b)).at(-1)?.[1] ?? null;
}

/**
 * What main and the target have grown from. A workspace made from a copy of the files has no history in common with the
 * upstream: there it is the release whose version its `package.json` names.
 */
async function baseOf(store: Store, { tags }: Upstream, main: Oid, target: Oid, version: string): Promise<Oid> {
  const base = (await store.mergeBase(main, target)) ?? tags.get(`v${version}`) ?? tags.get(version);
  if (base !== undefined) return base;
  throw new CambiumError('refused', `This workspace shares no history with that code, and it has no release ${version} to compare with.`, { hint: 'Was it made from another repository? Name that one with --from.' });
}
