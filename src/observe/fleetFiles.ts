/** What a file of the tree is to the fleet, by its path alone. */
import { CONFIG_FILE, ROSTER_PATH, taskFileKind } from '../model/layout.ts';
import { isMessagePath } from './messageFile.ts';

export type FleetFileKind = 'config' | 'instruction' | 'result' | 'claim' | 'roster' | 'spawn' | 'providers' | 'message' | 'agent' | 'none';

/** `none`: the fleet never reads it. What lies in tasks/archive/ is read by its id only. */
export function fleetFileKind(path: string): FleetFileKind {
  if (path === CONFIG_FILE) return 'config';
  if (path === ROSTER_PATH) return 'roster';
  if (path.startsWith('tasks/')) return taskFileKind(path);
  if (/^agents\/providers\/[^/._][^/]*\.json$/u.test(path)) return 'providers';
  if (/^agents\/spawns\/(?:[^/]+\/)+[^/._][^/]*\.json$/u.test(path)) return 'spawn';
  if (isMessagePath(path)) return 'message';
  return /^agents\/(?!README\.md$)[^/._][^/]*\.md$/u.test(path) ? 'agent' : 'none';
}
