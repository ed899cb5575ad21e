import { expect } from '@jest/globals';
import type { FakeClock } from './fake-clock.ts';
import type { createFakeObjectStore } from './fake-object-store.ts';

/** What was stopped has left nothing behind that would go on: no timer of its clock, no watch of its store. */
export function expectNothingLeft({
  clock,
  store,
}: {
  clock: Pick<FakeClock, 'pending'>;
  store: Pick<ReturnType<typeof createFakeObjectStore>, 'faults'>;
}): void {
  const left = { timers: clock.pending(), watches: store.faults.openWatches() };
  expect(left).toEqual({ timers: 0, watches: 0 });
}
