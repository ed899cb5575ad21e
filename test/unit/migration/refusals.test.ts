import { afterEach, describe, expect, it } from '@jest/globals';
import { containerKind, type ContainerSpec } from '../../../src/crds/container.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { type Migration, migrationKind, type MigrationSpec } from '../../../src/crds/migration.ts';
import { storagePool } from '../../support/cluster-objects.ts';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

let trial: MigrationTrial;
afterEach(() => trial.stop());

const reasonOf = (migration: Migration | undefined, type = 'Succeeded') =>
  findCondition(migration?.status?.conditions, type)?.reason;
const ended = (name: string) => () => /Succeeded|Failed|Cancelled/.test(trial.phase(name) ?? '');

describe('a Migration that cannot be', () => {
  it.each<[string, Partial<MigrationSpec>, Partial<ContainerSpec>, string]>([
    ['of a container that is not there', { container: 'nobody' }, {}, 'ContainerNotFound'],
    ['to a node that is not there', { targetNode: 'host-9' }, {}, 'NodeNotFound'],
    ['to where it is', { targetNode: 'host-1' }, {}, 'TargetIsSource'],
    ['of a container that is pinned', {}, { placement: { nodeName: 'host-1' } }, 'NoTarget'],
    ['of one that is never to move', { mode: 'Cold' }, { migration: { policy: 'Never' } }, 'PolicyNever'],
    [
      'of one with a volume that only its host has',
      {},
      { volumes: [{ name: 'data', pool: 'default', path: '/srv' }] },
      'VolumeOnNode',
    ],
    ['live between hosts that cannot', { mode: 'Live' }, {}, 'NoCriu'],
  ])('%s fails at once, says why, and touches nothing', async (_, wanted, spec, reason) => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) {
      host.transferFacts = {
        ...host.transferFacts,
        live: { possible: false, reason: 'NoCriu', message: 'there is no criu' },
      };
    }
    await trial.run(21);
    await trial.place('web', 'host-1', spec);
    await trial.create('m', wanted);
    expect(await trial.until(ended('m'), 2)).toBe(true);
    expect([trial.phase('m'), reasonOf(trial.migration('m'))]).toEqual(['Failed', reason]);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'host-1', epoch: 1 });
    expect(trial.container('web').status?.migration).toBeUndefined();
    expect(trial.hosts['host-2']?.instances()).toEqual([]);
  });

  it('to a node without the pool fails, and names the pool', async () => {
    const only1 = storagePool('only-1', { spec: { nodeSelector: { 'hostler.dev/host': 'host-1' } } });
    trial = await startMigrations(undefined, only1);
    await trial.place('web', 'host-1', { rootPool: 'only-1' });
    await trial.create('m', { targetNode: 'host-2' });
    expect(await trial.until(ended('m'), 2)).toBe(true);
    const { message } = findCondition(trial.migration('m')?.status?.conditions, 'Succeeded') ?? {};
    expect(message).toContain('without storage pool only-1');
  });

  it('to nodes without room fails, and says what is missing', async () => {
    trial = await startMigrations();
    const large = { resources: { memory: '5Gi' } };
    for (const [at, name] of ['web', 'two', 'three'].entries())
      await trial.place(name, `host-${at + 1}`, large);
    await trial.create('m', {});
    expect(await trial.until(ended('m'), 2)).toBe(true);
    const { reason, message } = findCondition(trial.migration('m')?.status?.conditions, 'Succeeded') ?? {};
    expect(reason).toBe('NoTarget');
    expect(message).toContain('2 Insufficient memory');
  });

  it('for a container that moves already fails; the first one goes on', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    for (const { host } of Object.values(trial.hosts)) host.passMs = 2_000;
    await trial.create('first', { mode: 'Cold' });
    expect(await trial.until(() => trial.phase('first') === 'Copying')).toBe(true);
    await trial.create('second', { mode: 'Cold' });
    expect(await trial.until(ended('second'), 2)).toBe(true);
    expect(reasonOf(trial.migration('second'))).toBe('AlreadyMigrating');
    expect(await trial.until(ended('first'))).toBe(true);
    expect(trial.phase('first')).toBe('Succeeded');
  });
});

describe('a container that was started without what a live move needs', () => {
  const begin = async (mode: 'Live' | 'LiveIfPossible'): Promise<void> => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) {
      host.transferFacts = { ...host.transferFacts, live: { possible: true, message: '' } };
      host.passMs = 2_000;
    }
    await trial.run(21);
    await trial.place('web', 'host-1', { migration: { policy: 'LiveIfPossible' } });
    const instance = trial.hosts['host-1']?.host.instances.get('web--default');
    if (instance !== undefined) delete instance.spec.movesLive;
    await trial.create('m', { targetNode: 'host-2', mode });
  };

  it('is refused before anything is copied where live is asked for, and has not noticed', async () => {
    await begin('Live');
    expect(await trial.until(ended('m'), 2)).toBe(true);
    expect([trial.phase('m'), reasonOf(trial.migration('m'))]).toEqual(['Failed', 'NeedsRestart']);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'host-1', epoch: 1, phase: 'Running' });
    expect(await trial.until(() => trial.container('web').status?.migration === undefined, 5)).toBe(true);
    expect(trial.hosts['host-2']?.instances()).toEqual([]);
  });

  it('goes cold where live is only wished for, without a live pass that fails first', async () => {
    await begin('LiveIfPossible');
    expect(await trial.until(ended('m'))).toBe(true);
    expect(trial.migration('m')?.status).toMatchObject({ phase: 'Succeeded', mode: 'Cold' });
    expect(reasonOf(trial.migration('m'), 'Live')).toBe('NeedsRestart');
    expect(trial.events.filter((one) => one.includes('MigrationReturned'))).toEqual([]);
    expect(trial.events).toContainEqual(
      expect.stringMatching(
        /^Normal GoesCold default\/m: It goes on cold: instance web--default was started/,
      ),
    );
  });
});

describe('a Migration that has to wait, or to give way', () => {
  it('goes cold where live is not possible and only wished for, and says why', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1', { volumes: [] });
    trial.hosts['host-2']!.host.transferFacts = {
      ...trial.hosts['host-2']!.host.transferFacts,
      live: { possible: false, reason: 'NoCriu', message: 'there is no criu' },
    };
    await trial.run(21);
    await trial.create('m', { targetNode: 'host-2', mode: 'LiveIfPossible' });
    expect(await trial.until(ended('m'))).toBe(true);
    expect(trial.migration('m')?.status).toMatchObject({ phase: 'Succeeded', mode: 'Cold' });
    expect(reasonOf(trial.migration('m'), 'Live')).toBe('NoCriu');
    expect(trial.events).toContain(
      'Normal Begun default/m: Goes from host-1 to host-2, cold, since it cannot go live: Node host-2: there is no criu',
    );
  });

  it('waits for the limits of its nodes, and begins when another one has ended', async () => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) host.passMs = 3_000;
    for (const name of ['a', 'b', 'c']) {
      await trial.place(name, 'host-1');
      await trial.create(`m-${name}`, { container: name, targetNode: 'host-2', mode: 'Cold' });
    }
    await trial.run(1);
    const phases = ['a', 'b', 'c'].map((name) => trial.phase(`m-${name}`));
    expect(phases.filter((phase) => phase === 'Pending').length).toBeLessThanOrEqual(1);
    const all = () => ['a', 'b', 'c'].every((name) => trial.phase(`m-${name}`) === 'Succeeded');
    expect(await trial.until(all)).toBe(true);
  });

  it.each<[string, Partial<ContainerSpec>, string]>([
    [
      'has a volume that only its host has',
      { volumes: [{ name: 'data', pool: 'default', path: '/srv' }] },
      'VolumeOnNode',
    ],
    ['is pinned to where it is', { placement: { nodeName: 'host-1' } }, 'Pinned'],
    ['is never to move', { migration: { policy: 'Never' } }, 'PolicyNever'],
  ])('ends when the container, while it is copied, %s', async (_, spec, reason) => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    for (const { host } of Object.values(trial.hosts)) host.passMs = 4_000;
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    await trial.until(() => trial.phase('m') === 'Copying');
    const { signal } = new AbortController();
    await trial.store.mergePatch(
      containerKind,
      { namespace: 'default', name: 'web' },
      { body: { spec } },
      signal,
    );
    expect(await trial.until(ended('m'), 2)).toBe(true);
    expect([trial.phase('m'), reasonOf(trial.migration('m'))]).toEqual(['Failed', reason]);
    await trial.run(15);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'host-1', phase: 'Running' });
    expect(trial.hosts['host-2']?.instances()).toEqual([]);
  });

  it('keeps the last ten that are over', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    for (let count = 0; count < 13; count += 1) {
      await trial.create(`m-${count}`, { mode: 'Cold' });
      expect(await trial.until(ended(`m-${count}`))).toBe(true);
      await trial.run(1);
    }
    const names = trial.store.all<Migration>(migrationKind).map(({ metadata }) => metadata.name);
    expect(names.toSorted()).toEqual(Array.from({ length: 10 }, (_, at) => `m-${at + 3}`).toSorted());
  });

  it('keeps the last ten that were refused, of a container that is not there as well', async () => {
    trial = await startMigrations();
    for (let count = 0; count < 13; count += 1) {
      await trial.create(`m-${count}`, { container: 'nobody' });
      expect(await trial.until(ended(`m-${count}`))).toBe(true);
      await trial.run(1);
    }
    const names = trial.store.all<Migration>(migrationKind).map(({ metadata }) => metadata.name);
    expect(names.toSorted()).toEqual(Array.from({ length: 10 }, (_, at) => `m-${at + 3}`).toSorted());
  });

  it('counts what it waits for its turn to its deadline', async () => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) host.passMs = 8_000;
    for (const name of ['a', 'b', 'c']) await trial.place(name, 'host-1');
    for (const name of ['a', 'b']) {
      await trial.create(`m-${name}`, { container: name, targetNode: 'host-2', mode: 'Cold' });
    }
    await trial.run(1);
    await trial.create('m-c', { container: 'c', targetNode: 'host-2', mode: 'Cold', deadline: '12s' });
    await trial.run(1);
    expect(trial.phase('m-c')).toBe('Pending');
    expect(await trial.until(() => trial.phase('m-c') === 'Copying', 10)).toBe(true);
    expect(await trial.until(ended('m-c'), 5)).toBe(true);
    expect(findCondition(trial.migration('m-c')?.status?.conditions, 'Succeeded')).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'spec.deadline, 12s from its creation, has passed in phase Copying',
    });
  });

  it('is cancelled by its deletion: the target drops its copy, the container has not noticed', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    for (const { host } of Object.values(trial.hosts)) host.passMs = 4_000;
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    await trial.until(() => trial.phase('m') === 'Copying');
    await trial.run(1);
    expect(trial.hosts['host-2']?.instances()).toEqual(['web--default']);
    await trial.store.delete(
      migrationKind,
      { namespace: 'default', name: 'm' },
      {},
      new AbortController().signal,
    );
    expect(await trial.until(() => trial.migration('m') === undefined, 5)).toBe(true);
    expect(await trial.until(() => trial.hosts['host-2']?.instances().length === 0, 15)).toBe(true);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'host-1', epoch: 1, restarts: 0 });
    expect(trial.hosts['host-1']?.running()).toEqual(['web--default']);
  });

  it('is rolled back at its deadline, also while the container is held', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold', deadline: '10s' });
    for (const { host } of Object.values(trial.hosts)) host.passMs = 100;
    await trial.until(() => trial.phase('m') === 'SwitchingOver');
    trial.hosts['host-2']?.kill();
    expect(await trial.until(ended('m'), 12)).toBe(true);
    expect(trial.phase('m')).toBe('Failed');
    expect(await trial.until(() => trial.hosts['host-1']?.running().length === 1, 5)).toBe(true);
    expect(trial.container('web').status?.migration).toBeUndefined();
  });
});
