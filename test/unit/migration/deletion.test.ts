import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { migrationKind } from '../../../src/crds/migration.ts';
import { isOver } from '../../../src/plan/migration/ending.ts';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

/** What a user takes away in the middle of a move. */
let trial: MigrationTrial;
afterEach(() => trial.stop());

const { signal } = new AbortController();
const key = (name: string) => ({ namespace: 'default', name });
const holders = () => Object.values(trial.hosts).flatMap((host) => host.instances());
const containerOf = () =>
  trial.store.all<Container>(containerKind).find(({ metadata }) => metadata.name === 'web');

async function begin(mode: 'Cold' | 'Live'): Promise<void> {
  trial = await startMigrations();
  for (const { host } of Object.values(trial.hosts)) {
    host.transferFacts = { ...host.transferFacts, live: { possible: true, message: '' } };
    host.delayMs = 20;
    host.passMs = 600;
  }
  await trial.run(21);
  await trial.place('web', 'host-1', { migration: { policy: 'LiveIfPossible' } });
  await trial.create('m', { targetNode: 'host-2', mode, deadline: '5m' });
}

const PHASES = ['Pending', 'Preparing', 'Copying', 'SwitchingOver', 'Completing'] as const;
const rows = (['Cold', 'Live'] as const).flatMap((mode) =>
  PHASES.flatMap((phase) => [0, 100, 300].map((ms) => [mode, phase, ms] as const)),
);

describe('a container that is deleted while it moves', () => {
  it.each(rows)(
    '%s, in %s, %d ms later: goes from both hosts, and the Migration ends',
    async (mode, phase, ms) => {
      await begin(mode);
      for (let step = 0; step < 6_000 && (trial.phase('m') ?? 'Pending') !== phase; step += 1) {
        await trial.clock.advance(10);
      }
      expect(trial.phase('m') ?? 'Pending').toBe(phase);
      await trial.clock.advance(ms);
      await trial.store.delete(containerKind, key('web'), {}, signal);
      const isDone = () =>
        containerOf() === undefined &&
        holders().length === 0 &&
        isOver(trial.migration('m')?.status ?? {}) &&
        (trial.migration('m')?.metadata.finalizers ?? []).length === 0;
      const isInTime = await trial.until(isDone, 40);
      expect({ isInTime, there: containerOf()?.status?.phase, holders: holders() }).toEqual({
        isInTime: true,
        there: undefined,
        holders: [],
      });
    },
  );

  it('goes even if its Migration was deleted by force in the middle of the live pass', async () => {
    await begin('Live');
    expect(await trial.until(() => containerOf()?.status?.migration?.stage === 'Live')).toBe(true);
    const body = { metadata: { finalizers: [] } };
    await trial.store.mergePatch(migrationKind, key('m'), { body }, signal);
    await trial.store.delete(migrationKind, key('m'), {}, signal);
    await trial.store.delete(containerKind, key('web'), {}, signal);
    expect(await trial.until(() => containerOf() === undefined && holders().length === 0, 40)).toBe(true);
  });
});
