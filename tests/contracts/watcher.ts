/** What every Watcher of files promises: after a change below its paths a nudge comes. When, and how often, it does not say. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Watcher } from '../../src/ports/watcher.ts';
import { tempDir, until } from '../support/temp.ts';
import type { TempDir } from '../support/temp.ts';

export interface WatcherWorld {
  readonly root: string;
  readonly paths: readonly string[];
  readonly ignore: readonly string[];
}

/** `create` makes a watcher whose periodic rescan never comes within a test, so that each nudge is due to an event. */
export function watcherContract(name: string, create: (world: WatcherWorld) => Watcher): void {
  describe(`a watcher (${name})`, () => {
    let folder: TempDir;
    let root = '';
    let watcher: Watcher;
    let nudges = 0;
    const put = (path: string, text = 'x'): void => writeFileSync(join(root, path), text);
    const watchPaths = async (paths: readonly string[], ignore: readonly string[] = []): Promise<void> => {
      nudges = 0;
      watcher = create({ root, paths, ignore });
      await watcher.start(() => void nudges++);
    };
    /** Calm first, then the change, then the nudge it must cause. */
    const nudgedBy = async (change: () => void): Promise<void> => {
      await calm();
      const before = nudges;
      change();
      await until(() => nudges > before || null);
    };
    const calm = async (): Promise<void> => {
      for (let last = -1; last !== nudges; ) {
        last = nudges;
        await new Promise((resolve) => void setTimeout(resolve, 700));
      }
    };

    beforeEach(() => {
      folder = tempDir('watcher');
      root = join(folder.path, 'root');
      mkdirSync(join(root, 'tasks/web'), { recursive: true });
      mkdirSync(join(root, 'other'));
      put('tasks/a.md');
      put('config.yaml');
    });
    afterEach(async () => {
      await watcher.close();
      folder.remove();
    });

    test('files made, changed, replaced and removed are nudged, at any depth, and a single file too', async () => {
      await watchPaths(['tasks', 'config.yaml']);
      await nudgedBy(() => put('tasks/web/new.md'));
      await nudgedBy(() => put('tasks/a.md', 'changed'));
      await nudgedBy(() => {
        put('config.tmp');
        renameSync(join(root, 'config.tmp'), join(root, 'config.yaml'));
      });
      await nudgedBy(() => rmSync(join(root, 'tasks/a.md')));
      mkdirSync(join(root, 'tasks/fresh'));
      await nudgedBy(() => put('tasks/fresh/b.md'));
    });

    test('what is not watched and what is ignored is not nudged', async () => {
      await watchPaths(['tasks', 'config.yaml'], ['tasks/archive/**', '**/.*']);
      mkdirSync(join(root, 'tasks/archive'));
      await calm();
      const before = nudges;
      put('other/x');
      put('tasks/archive/x');
      put('tasks/.swap');
      await calm();
      expect(nudges).toBe(before);
    });

    test('a path that does not exist yet is picked up when it comes', async () => {
      await watchPaths(['agents/channels']);
      await nudgedBy(() => mkdirSync(join(root, 'agents/channels'), { recursive: true }));
      await nudgedBy(() => put('agents/channels/a.md'));
    });

    test.each(['tasks', 'tasks/web', '.'])('%s removed and made again is picked up again', async (path) => {
      await watchPaths([path === '.' ? '.' : 'tasks']);
      await nudgedBy(() => rmSync(join(root, path), { recursive: true }));
      await nudgedBy(() => mkdirSync(join(root, path), { recursive: true }));
      await nudgedBy(() => put(join(path, 'b.md')));
      await nudgedBy(() => put(join(path, 'b.md'), 'again'));
    });

    test('a folder renamed away and replaced at once is picked up again', async () => {
      await watchPaths(['tasks']);
      await nudgedBy(() => {
        renameSync(join(root, 'tasks/web'), join(root, 'away'));
        mkdirSync(join(root, 'tasks/web'));
      });
      await nudgedBy(() => put('tasks/web/b.md'));
    });

    test('a burst is one nudge or few', async () => {
      await watchPaths(['tasks']);
      await calm();
      const before = nudges;
      for (let file = 0; file < 300; file++) put(`tasks/web/${file}.md`);
      await until(() => nudges > before || null);
      await calm();
      expect(nudges - before).toBeLessThanOrEqual(5);
    });

    test('nothing is nudged after close, and close may come right after an event', async () => {
      await watchPaths(['tasks']);
      put('tasks/b.md');
      await watcher.close();
      const before = nudges;
      put('tasks/c.md');
      await calm();
      expect(nudges).toBe(before);
    });
  });
}
