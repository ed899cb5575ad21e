import { afterEach, describe, expect, it } from '@jest/globals';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

let trial: MigrationTrial;
afterEach(() => trial.stop());

const phase = () => trial.migration('m')?.status?.phase;

describe('a cold migration', () => {
  it('moves a container that runs, with its files', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    const { host } = trial.hosts['host-1']!;
    const instance = host.instances.get('web--default');
    if (instance) instance.files = { log: '1\n' };
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    await trial.until(() => phase() === 'Succeeded', 20);
      JSON.stringify(trial.migration('m'), null, 1),
      JSON.stringify(trial.container('web').status, null, 1),
      trial.events.slice(-10),
    );
    expect(phase()).toBe('Succeeded');
    expect(trial.hosts['host-1']?.instances()).toEqual([]);
    expect(trial.hosts['host-2']?.running()).toEqual(['web--default']);
  });
});
