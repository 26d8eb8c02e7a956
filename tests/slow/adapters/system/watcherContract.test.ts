import { createWatcher } from '../../../../src/adapters/system/watcher.ts';
import { watcherContract } from '../../../contracts/watcher.ts';

watcherContract('chokidar', (world) => createWatcher({ ...world, rescanMs: 3_600_000 }));
watcherContract('plain watches of large folders', (world) => createWatcher({ ...world, rescanMs: 3_600_000, largeFolder: 0 }));
