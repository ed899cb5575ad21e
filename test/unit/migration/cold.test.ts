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
});
