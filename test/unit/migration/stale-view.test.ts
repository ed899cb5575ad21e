import { afterEach, describe, expect, it } from '@jest/globals';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

let trial: MigrationTrial;
afterEach(() => trial.stop());

const offers = (): number =>
  (trial.hosts['host-1']?.host.calls ?? []).filter((call) => call.startsWith('offerTransfer')).length;

describe('the agent of the source, whose view of a migration lags behind its own report', () => {
  it('offers a pass once: a second offer would wait for a reader, and the last pass for its end', async () => {
    trial = await startMigrations();
    await trial.place('web', 'host-1');
    trial.hosts['host-1']?.failOnce('offerTransfer');
    await trial.create('m', { targetNode: 'host-2', mode: 'Cold' });
    expect(await trial.until(() => offers() === 1)).toBe(true);
    // The offer is tried again, and told; the watches do not show it, and the agent looks again at all that is not over.
    const goOn = trial.store.faults.stallWatches();
    await trial.run(31);
    expect(trial.migration('m')?.status?.sourceReport).toMatchObject({ prepared: true, offered: 1 });
    expect(offers()).toBe(2);
    goOn();
    const begunMs = trial.clock.monotonicMs();
    expect(await trial.until(() => trial.phase('m') === 'Succeeded')).toBe(true);
    expect(offers()).toBe(3);
    expect(trial.clock.monotonicMs() - begunMs).toBeLessThan(5_000);
  });
});
