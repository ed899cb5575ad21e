import { createFakeStorage } from '../../support/fake-storage.ts';
import { storageContract } from './suite.ts';

storageContract('the in-memory storage', () => {
  const storage = createFakeStorage();
  return Promise.resolve({
    storage,
    compact: (revision) => Promise.resolve(storage.compact(revision)),
    stop: () => storage.close(),
  });
});
