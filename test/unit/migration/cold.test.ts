import { afterEach, describe, expect, it } from '@jest/globals';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

let trial: MigrationTrial;
afterEach(() => trial.stop());

describe('a cold migration', () => {
  it('moves a container that runs, with its files', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    trial.write('web', 'log', '1\n');
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    expect(await trial.until(() => trial.phase('m') === 'Succeeded')).toBe(true);
    expect(trial.hosts['host-1']?.instances()).toEqual([]);
    expect(trial.hosts['host-2']?.running()).toEqual(['web--default']);
    expect(trial.read('web', 'log')).toBe('1\n');
    expect(trial.container('web').status).toMatchObject({ nodeName: 'host-2', epoch: 3, restarts: 0 });
    expect(trial.container('web').status?.migration).toBeUndefined();
  });

  it('asks the API once what becomes of the copies, when the one that is left goes', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    const before = trial.store.calls.length;
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    expect(await trial.until(() => trial.phase('m') === 'Succeeded')).toBe(true);
    await trial.run(5);
    const reads = trial.store.calls.slice(before).filter(({ resource }) => resource === 'namespaces');
    expect(reads.map(({ verb }) => verb)).toEqual(['get']);
    expect(trial.hosts['host-1']?.instances()).toEqual([]);
  });

  it('does not run once more what has ended for good', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1', { restart: { policy: 'Never' } });
    trial.write('web', 'log', 'done\n');
    trial.hosts['host-1']?.host.stopByHand('web--default');
    expect(await trial.until(() => trial.container('web').status?.phase === 'Stopped', 10)).toBe(true);
    await trial.create('m', { targetNode: 'host-2', deadline: '2m' });
    expect(await trial.until(() => trial.phase('m') === 'Succeeded', 30)).toBe(true);
    await trial.run(60);
    expect(trial.hosts['host-1']?.instances()).toEqual([]);
    const there = trial.hosts['host-2']?.host.instances.get('web--default');
    expect(there).toMatchObject({ status: 'Stopped', files: { log: 'done\n' } });
    const said = trial.migration('m')?.status?.conditions?.find(({ type }) => type === 'Succeeded');
    expect(said?.message).toBe('It is on host-2');
    expect(trial.events.filter((one) => one.startsWith('Normal Started'))).toEqual([]);
    const { status } = trial.container('web');
    expect(status).toMatchObject({ phase: 'Stopped', nodeName: 'host-2', restarts: 0 });
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Ready',
        reason: 'Ended',
        message: expect.stringContaining('It had ended before it was moved here'),
      }),
    );
  });
});
