import { afterEach, describe, expect, it } from '@jest/globals';
import type { ContainerSpec } from '../../../src/crds/container.ts';
import { type Migration, migrationKind } from '../../../src/crds/migration.ts';
import { type Node, nodeKind, type NodeSpec } from '../../../src/crds/node.ts';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

/** Drains with everything that is real but the daemons and the clock: all controllers, the agents, their guards. */
let trial: MigrationTrial;
afterEach(() => trial.stop());

const { signal } = new AbortController();
const NAMES = ['one', 'two', 'three', 'four'];
const cold: Partial<ContainerSpec> = { migration: { policy: 'Cold' } };

async function start(spec: Partial<ContainerSpec> = cold): Promise<void> {
  trial = await startMigrations();
  // So that there is a middle of it.
  for (const { host } of Object.values(trial.hosts)) host.passMs = 600;
  for (const name of NAMES) {
    await trial.place(name, 'host-1', spec);
    trial.write(name, 'kept', name);
  }
}

async function setSpec(spec: NodeSpec): Promise<void> {
  await trial.store.mergePatch(nodeKind, { name: 'host-1' }, { body: { spec } }, signal);
}

const phase = (): string | undefined =>
  trial.store.all<Node>(nodeKind).find(({ metadata }) => metadata.name === 'host-1')?.status?.drain?.phase;

/** Where the container runs: in two places is the one thing that must never be. */
const placesOf = (name: string): string[] =>
  Object.values(trial.hosts)
    .filter((host) => host.running().includes(`${name}--default`))
    .map((host) => host.name);

/** Until the drain, or the restore, is there; all the while each container runs in one place at most. */
async function until(wanted: string, seconds = 120): Promise<void> {
  let most = 0;
  const isThere = await trial.until(() => {
    most = Math.max(most, ...NAMES.map((name) => placesOf(name).length));
    return phase() === wanted;
  }, seconds);
  expect({ phase: phase(), most: isThere ? most : undefined }).toEqual({ phase: wanted, most: 1 });
}

const isMoving = (): boolean => NAMES.some((name) => trial.container(name).status?.migration !== undefined);
const hasGone = (): boolean => NAMES.some((name) => trial.container(name).status?.nodeName !== 'host-1');

describe('a drain with real agents', () => {
  it('empties the host, and the restore fills it again, with all files', async () => {
    await start();
    await setSpec({ maintenance: 'Drain' });
    await until('Drained');
    expect(trial.hosts['host-1']?.instances()).toEqual([]);
    await trial.run(5);
    for (const name of NAMES) expect(trial.read(name, 'kept')).toBe(name);
    await setSpec({ maintenance: 'None' });
    await until('Restored');
    expect(trial.hosts['host-1']?.running()).toHaveLength(NAMES.length);
    for (const name of NAMES) {
      expect(trial.read(name, 'kept')).toBe(name);
      expect(trial.container(name).status).toMatchObject({
        nodeName: 'host-1',
        phase: 'Running',
        restarts: 0,
      });
      expect(trial.container(name).status?.drainedFrom).toBeUndefined();
    }
  });

  it.each([
    ['when something moves', isMoving],
    ['when the first has gone', hasGone],
  ])('goes on under another leader, that comes %s', async (_name, isTime) => {
    await start();
    await setSpec({ maintenance: 'Drain' });
    expect(await trial.until(isTime)).toBe(true);
    await trial.changeLeader();
    await until('Drained');
    await trial.run(5);
    for (const name of NAMES) expect(trial.read(name, 'kept')).toBe(name);
  });

  it('outlives its agent, which is killed in the middle and comes back', async () => {
    await start();
    await setSpec({ maintenance: 'Drain' });
    expect(await trial.until(isMoving)).toBe(true);
    trial.hosts['host-1']?.kill();
    await trial.run(1);
    trial.hosts['host-1']?.start();
    await until('Drained', 300);
    await trial.run(5);
    for (const name of NAMES) expect(trial.read(name, 'kept')).toBe(name);
  });

  it('ends as a failover when the drained host is lost', async () => {
    await start({ ...cold, failover: { policy: 'Recreate' } });
    await setSpec({ maintenance: 'Drain' });
    expect(await trial.until(hasGone)).toBe(true);
    trial.hosts['host-1']?.powerOff();
    await until('Drained', 300);
    await trial.run(20);
    for (const name of NAMES) expect(placesOf(name)).toHaveLength(1);
    expect(trial.hosts['host-1']?.running()).toEqual([]);
  });

  it('goes on as soon as the drained host is back, without an attempt that is refused', async () => {
    await start();
    const host = trial.hosts['host-1'];
    host?.powerOff();
    await trial.run(30);
    await setSpec({ maintenance: 'Drain' });
    await trial.run(10);
    expect(phase()).toBe('Draining');
    host?.powerOn();
    await until('Drained', 120);
    const all = trial.store.all<Migration>(migrationKind);
    expect(all.map(({ status }) => status?.phase)).toEqual(NAMES.map(() => 'Succeeded'));
  });

  it('takes another node when the one that it goes to is lost', async () => {
    await start();
    await setSpec({ maintenance: 'Drain' });
    expect(await trial.until(isMoving)).toBe(true);
    const target = NAMES.map((name) => trial.container(name).status?.migration?.target).find(
      (one) => one !== undefined,
    );
    const before = trial.hosts[target ?? '']?.running() ?? [];
    trial.hosts[target ?? '']?.powerOff();
    await until('Drained', 1_200);
    await trial.run(20);
    // What has its data on the lost host alone waits for that one.
    const others = NAMES.filter(
      (name) => !before.includes(`${name}--default`) && trial.container(name).status?.nodeName !== target,
    );
    expect(others.length).toBeGreaterThan(0);
    expect(others.map((name) => trial.read(name, 'kept'))).toEqual(others);
  });

  it('stops what cannot move when told so, and starts it again', async () => {
    await start({ migration: { policy: 'Never' } });
    await setSpec({ maintenance: 'Drain', drain: { unmovable: 'Stop' } });
    await until('Drained');
    expect(trial.hosts['host-1']?.running()).toEqual([]);
    expect(trial.container('one').status).toMatchObject({ phase: 'Stopped', stoppedFor: 'Maintenance' });
    await trial.run(60);
    expect(trial.hosts['host-1']?.running()).toEqual([]);
    await setSpec({ maintenance: 'None' });
    await until('Restored');
    expect(await trial.until(() => trial.hosts['host-1']?.running().length === NAMES.length)).toBe(true);
    for (const name of NAMES) expect(trial.container(name).status?.restarts).toBe(0);
  });
});
