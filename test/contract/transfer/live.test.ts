import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LIVE_FOLDER } from '../../../src/config/local.ts';
import type { InstanceSpec } from '../../../src/ports/host-driver.ts';
import { connectCounting, countedIn, makeCounting } from '../../support/counting-container.ts';
import { LAN, openLan } from '../../support/shared-lan.ts';
import { whyNoHost } from '../../support/test-host.ts';
import { startTestPair, type TestPair } from '../../support/test-pair.ts';
import { EventLog, never } from '../host-driver/harness.ts';
import { type Move, moveOf } from './harness.ts';

/** What only real daemons can show: processes, memory, files and an open TCP connection that go on elsewhere. */
const skip =
  whyNoHost('incus') ??
  (existsSync(`${LIVE_FOLDER}/bin/criu`) ? undefined : 'there is no criu: scripts/setup --live brings it');
const section = skip === undefined ? describe : describe.skip;

section(skip === undefined ? 'live moves: Incus' : `live moves: Incus: skipped: ${skip}`, () => {
  let pair: TestPair;
  beforeAll(async () => {
    pair = await startTestPair('incus', { live: true, pools: ['dir', 'btrfs'] });
    await openLan(
      pair.stateDir,
      pair.hosts.map(({ host }) => host),
    );
  }, 120_000);
  afterAll(async () => {
    await pair?.stop();
  }, 60_000);

  const begin = async (name: string, pool: string, extra: Partial<InstanceSpec> = {}): Promise<Move> => {
    const [source, target] = pair.hosts;
    const bench = {
      source: source.driver,
      target: target.driver,
      image: pair.image,
      pool,
      network: LAN,
    };
    const move = moveOf(bench, name, { movesLive: true, ...extra });
    move.spec.imageFingerprint = await source.driver.ensureImage(pair.image, never);
    await source.driver.createInstance(move.spec, { start: false }, never);
    return move;
  };

  it('is possible where criu, its wrapper and the daemon are set up for it', async () => {
    for (const { driver } of pair.hosts) {
      const { live } = await driver.getTransferFacts(never);
      expect(live).toEqual({ possible: true, message: expect.stringMatching(/^criu \d/) });
    }
  });

  it.each([
    ['dir', '10.88.0.50'],
    ['btrfs', '10.88.0.51'],
  ])(
    'keeps memory, files and a TCP connection (%s)',
    async (pool, address) => {
      const [source, target] = pair.hosts;
      const move = await begin(`counts-${pool}`, pool);
      const { name, mark } = move.spec;
      await makeCounting(source.pathIn(pool, name, ''), { address: `${address}/24` });
      await source.driver.startInstance(name, never);
      const reader = await connectCounting(source.network.dialPath, address);
      const events = new EventLog(source.driver);
      await events.until(() => events.count('resync') > 0);
      try {
        await move.pass();
        await move.pass();
        await reader.until(reader.last + 5, 30_000);
        const before = reader.last;
        await move.pass({ live: true });
        expect(await source.driver.getInstance(name, never)).toMatchObject({ status: 'Stopped', mark });
        expect(await target.driver.getInstance(name, never)).toMatchObject({
          status: 'Running',
          incoming: move.migration,
        });
        await target.driver.acceptTransfer(
          { ...move.spec, mark: { ...mark, epoch: 2 } },
          move.migration,
          never,
        );
        await reader.until(before + 50, 60_000);
        expect(reader.isComplete).toBe(true);
        const { last } = reader;
        expect(await countedIn(target.pathIn(pool, name, ''))).toBeGreaterThanOrEqual(last);
        expect(await target.driver.updateInstance(move.spec, never)).toEqual({ restartRequired: [] });
        await events.until(() => events.of(name).length > 0);
        expect(events.of(name)).toEqual([{ type: 'stopped', name, requested: true }]);
      } finally {
        await events.stop();
        reader.stop();
      }
      await move.end();
    },
    120_000,
  );

  it('comes back, from where it went', async () => {
    const [source, target] = pair.hosts;
    const move = await begin('back', 'btrfs');
    const { name, mark } = move.spec;
    const address = '10.88.0.52';
    await makeCounting(source.pathIn('btrfs', name, ''), { address: `${address}/24` });
    await source.driver.startInstance(name, never);
    const reader = await connectCounting(source.network.dialPath, address);
    await move.pass();
    await move.pass({ live: true });
    await target.driver.acceptTransfer(move.spec, move.migration, never);
    await source.driver.deleteInstance(name, mark.uid, never);
    const back = moveOf(
      { source: target.driver, target: source.driver, image: pair.image, pool: 'btrfs', network: LAN },
      'back',
      { movesLive: true },
    );
    await back.pass();
    await back.pass({ live: true });
    await source.driver.acceptTransfer(move.spec, move.migration, never);
    await reader.until(reader.last + 50, 60_000);
    expect(reader.isComplete).toBe(true);
    reader.stop();
    await move.end();
  }, 120_000);

  it.each([
    ['was made for cold moves', { movesLive: false }, 'Conflict', 'NeedsRestart'],
    ['has a disk of the host', { volumes: [] }, 'Invalid', 'Volumes'],
  ])(
    'is not offered for one that %s, and a cold offer before it says so',
    async (_, extra, code, reason) => {
      const move = await begin('refused', 'dir', extra);
      const { name, mark } = move.spec;
      const source = pair.hosts[0].driver;
      if (code === 'Invalid') {
        const devices = {
          root: { type: 'disk', path: '/', pool: 'dir' },
          data: { type: 'disk', source: pair.directory, path: '/srv' },
        };
        await pair.hosts[0].ask('PATCH', `/1.0/instances/${name}`, { devices });
      }
      await pair.hosts[0].driver.startInstance(name, never);
      const offer = source.offerTransfer({ name, uid: mark.uid }, { live: true }, never);
      await expect(offer).rejects.toMatchObject({ code });
      const instance = { name, uid: mark.uid };
      const cold = await source.offerTransfer(instance, { live: false, isToGoLive: true }, never);
      expect(cold.liveObstacle).toMatchObject({ reason });
      expect(await source.offerTransfer(instance, { live: false }, never)).not.toHaveProperty('liveObstacle');
      expect(await source.getInstance(name, never)).toMatchObject({ status: 'Running' });
      await move.end();
    },
    60_000,
  );

  it('that is withdrawn leaves it running at the source, and a copy at the target that is not', async () => {
    const [source, target] = pair.hosts;
    const move = await begin('fails', 'btrfs');
    const { name } = move.spec;
    await source.driver.startInstance(name, never);
    await move.pass();
    // criu does not find the root of the container as it was: the copy here has another.
    const offer = await move.offer(true);
    const request = await move.request(offer, { live: true });
    await source.driver.cancelTransfer(offer.operation, never);
    await expect(target.driver.pullTransfer(request, () => {}, never)).rejects.toMatchObject({
      code: 'NotFound',
    });
    expect(await source.driver.getInstance(name, never)).toMatchObject({ status: 'Running' });
    expect(await target.driver.getInstance(name, never)).toMatchObject({ status: 'Stopped' });
    await move.end();
  }, 120_000);
});
