import { createMemoryLocal } from '../../../src/adapters/memory/local.ts';
import { localContract } from '../../contracts/local.ts';

localContract('memory', () => {
  const records = new Map<string, string>();
  return { open: () => createMemoryLocal(records) };
});
