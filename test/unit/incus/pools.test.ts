import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { type DriverTrial, never, startDriverTrial } from './driver-trial.ts';
import { sync } from './scripted-daemon.ts';

describe('pools of the daemon', () => {
  let trial: DriverTrial;
  let driver: HostDriver;
  let daemon: DriverTrial['daemon'];

  beforeEach(async () => {
    trial = await startDriverTrial();
    ({ driver, daemon } = trial);
  });
  afterEach(() => trial.stop());

  it('leaves a pool alone that is as it should be, although the daemon keeps no empty keys', async () => {
    const config = { 'user.hostler.uid': 'u1', source: '/pools/fast' };
    daemon.answers.set('GET /1.0/storage-pools/fast', sync({ name: 'fast', driver: 'dir', config }));
    await driver.ensurePool({ name: 'fast', uid: 'u1', driver: 'dir', config: {} }, never);
    expect(daemon.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  it('lists no pools where the daemon says null for none', async () => {
    daemon.answers.set('GET /1.0/storage-pools?recursion=1', sync(null));
    expect(await driver.listPools(never)).toEqual([]);
  });
});
