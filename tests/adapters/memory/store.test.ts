import { createMemoryStore } from '../../../src/adapters/memory/store.ts';
import { storeContract } from '../../contracts/store.ts';

for (const objectFormat of ['sha1', 'sha256'] as const) {
  storeContract(`memory store, ${objectFormat}`, async () => ({ store: createMemoryStore({ objectFormat }), remove: async () => undefined }), { runs: 100 });
}
