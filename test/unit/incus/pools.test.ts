import { describe, expect, it } from '@jest/globals';
import { never, driverTrials } from './driver-trial.ts';
import { sync } from './scripted-daemon.ts';

describe('pools of the daemon', () => {
  const trial = driverTrials();

  it('leaves a pool alone that is as it should be, although the daemon keeps no empty keys', async () => {
    const config = { 'user.hostler.uid': 'u1', source: '/pools/fast' };
    trial.daemon.answers.set('GET /1.0/storage-pools/fast', sync({ name: 'fast', driver: 'dir', config }));
    await trial.driver.ensurePool({ name: 'fast', uid: 'u1', driver: 'dir', config: {} }, never);
    expect(trial.daemon.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  it('lists no pools where the daemon says null for none', async () => {
    trial.daemon.answers.set('GET /1.0/storage-pools?recursion=1', sync(null));
    expect(await trial.driver.listPools(never)).toEqual([]);
  });
});
