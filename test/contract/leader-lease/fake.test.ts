import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeLeaderStore } from '../../support/fake-leader-lease.ts';
import { leaderLeaseContract } from './suite.ts';

leaderLeaseContract('the in-memory leader lease', () => {
  const clock = createFakeClock();
  return Promise.resolve({
    pair() {
      const store = createFakeLeaderStore(clock);
      return {
        first: store.connect(),
        second: store.connect(),
        deleteKey: () => Promise.resolve(store.deleteKey()),
      };
    },
    pass: (ms) => clock.advance(ms),
    stop: () => Promise.resolve(),
  });
});
