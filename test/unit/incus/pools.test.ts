import { describe, expect, it } from '@jest/globals';
import { never, driverTrials } from './driver-trial.ts';
import { sync } from './scripted-daemon.ts';

describe('pools of the daemon', () => {
  const trial = driverTrials();

  it('leaves a pool alone that is as it should be, although the daemon keeps no empty keys', async () => {
    const config = { 'user.hostler.uid': 'u1', source: '/pools/fast', 'rsync.compression': 'false' };
    trial.daemon.answers.set('GET /1.0/storage-pools/fast', sync(pool(config)));
    await trial.driver.ensurePool({ name: 'fast', uid: 'u1', driver: 'dir', config: {} }, never);
    expect(changes()).toEqual([]);
  });

  const pool = (config: object) => ({ name: 'fast', driver: 'dir', config });
  const changes = () => trial.daemon.requests.filter((request) => !request.startsWith('GET'));

  it.each<[string, Record<string, string>, object, string | undefined]>([
    ['is not what a pool from before has', {}, { 'user.hostler.uid': 'u1' }, 'false'],
    ['is what the spec says', { 'rsync.compression': 'true' }, { 'user.hostler.uid': 'u1' }, 'true'],
    [
      'is back when the spec says nothing more of it',
      {},
      { 'user.hostler.uid': 'u1', 'user.hostler.keys': 'rsync.compression', 'rsync.compression': 'true' },
      'false',
    ],
  ])('files that are moved are not compressed: that %s', async (_, config, before, after) => {
    trial.daemon.answers.set('GET /1.0/storage-pools/fast', sync(pool(before)));
    trial.daemon.answers.set('PUT /1.0/storage-pools/fast', sync({}));
    await trial.driver.ensurePool({ name: 'fast', uid: 'u1', driver: 'dir', config }, never);
    expect(changes()).toEqual(['PUT /1.0/storage-pools/fast']);
    expect(trial.daemon.bodies.at(-1)).toMatchObject({ config: { 'rsync.compression': after } });
  });

  it('lists no pools where the daemon says null for none', async () => {
    trial.daemon.answers.set('GET /1.0/storage-pools?recursion=1', sync(null));
    expect(await trial.driver.listPools(never)).toEqual([]);
  });
});
