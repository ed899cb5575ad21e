import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeObjectStore } from '../../support/fake-object-store.ts';
import { objectStoreContract } from './suite.ts';

objectStoreContract('the in-memory API', () => {
  const store = createFakeObjectStore(systemClock);
  return Promise.resolve({
    store,
    forgetful() {
      store.faults.compact();
      return Promise.resolve(store);
    },
    stop: () => Promise.resolve(),
  });
});
