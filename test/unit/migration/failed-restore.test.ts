import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

/** As Incus 6.0 has it: both sides call the pass a success, and the copy is held by its daemon until that is started anew. */
describe('a live migration whose restore fails', () => {
  let trial: MigrationTrial;
  beforeEach(async () => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) {
      host.transferFacts = { ...host.transferFacts, live: { possible: true, message: '' } };
    }
    await trial.run(21);
    await trial.place('web', 'host-1', { migration: { policy: 'LiveIfPossible' } });
    trial.write('web', 'log', '1\n');
    const target = trial.hosts['host-2']!;
    target.host.restoresFail = true;
  });
  afterEach(() => trial.stop());

  const isBack = (): boolean => {
    const { nodeName, phase, migration } = trial.container('web').status ?? {};
    return nodeName === 'host-1' && phase === 'Running' && migration === undefined;
  };

  it.each(['Live', 'LiveIfPossible'] as const)(
    '(%s) is over, and the container runs where it was, with all of its files',
    async (mode) => {
      await trial.create('m', { targetNode: 'host-2', mode });
      expect(await trial.until(() => trial.phase('m') === 'Failed' && isBack(), 120)).toBe(true);
      expect(trial.hosts['host-1']?.running()).toEqual(['web--default']);
      expect(trial.hosts['host-2']?.running()).toEqual([]);
      expect(trial.read('web', 'log')).toBe('1\n');
    },
  );

  it('leaves nothing at the target once its daemon lets go, and can be tried again', async () => {
    await trial.create('m', { targetNode: 'host-2', mode: 'Live' });
    expect(await trial.until(() => trial.phase('m') === 'Failed' && isBack(), 120)).toBe(true);
    const { host } = trial.hosts['host-2']!;
    host.restoresFail = false;
    host.setDown(true);
    await trial.run(2);
    host.setDown(false);
    expect(await trial.until(() => trial.hosts['host-2']?.instances().length === 0, 60)).toBe(true);
    await trial.create('again', { targetNode: 'host-2', mode: 'Live' });
    expect(await trial.until(() => trial.phase('again') === 'Succeeded', 60)).toBe(true);
    expect(trial.hosts['host-2']?.running()).toEqual(['web--default']);
    expect(trial.read('web', 'log')).toBe('1\n');
  });
});
