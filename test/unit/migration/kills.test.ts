import { afterEach, describe, expect, it } from '@jest/globals';
import { isOver } from '../../../src/plan/migration/ending.ts';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

/** The table of docs/design/0004-migration.md over daemons in memory; on real ones: test/e2e/migration/kills.ts. */
let trial: MigrationTrial;
afterEach(() => trial.stop());

const source = () => trial.hosts['host-1']!;
const target = () => trial.hosts['host-2']!;
const VICTIMS: Record<string, () => Promise<void> | void> = {
  "the source's agent": () => restart(source()),
  "the target's agent": () => restart(target()),
  "the source's daemon": () => interrupt(source()),
  "the target's daemon": () => interrupt(target()),
  'the leader': () => trial.changeLeader(),
  'the source, which comes back': () => powerCycle(source(), 3_000),
  'the target, which comes back': () => powerCycle(target(), 3_000),
  'the source for a long time': () => powerCycle(source(), 40_000),
  'the target for a long time': () => powerCycle(target(), 40_000),
};
type Host = ReturnType<typeof source>;
const later = (ms: number, run: () => void): void => void trial.clock.schedule(ms, run);
const restart = (host: Host): void => {
  host.kill();
  later(2_000, () => host.start());
};
const interrupt = ({ host }: Host): void => {
  host.setDown(true);
  later(2_000, () => host.setDown(false));
};
const powerCycle = (host: Host, ms: number): void => {
  host.powerOff();
  later(ms, () => host.powerOn());
};

const has = (event: string): boolean => trial.events.some((one) => one.startsWith(event));

const PHASES = ['Preparing', 'Copying', 'SwitchingOver', 'Completing'];
const rows = (['Cold', 'Live'] as const).flatMap((mode) =>
  (['Stay', 'Recreate'] as const).flatMap((policy) =>
    PHASES.flatMap((phase) => Object.keys(VICTIMS).map((victim) => [mode, policy, phase, victim] as const)),
  ),
);

describe('what dies in the middle of a move', () => {
  it.each(rows)('%s, failover %s: in %s, %s', async (mode, policy, phase, victim) => {
    trial = await startMigrations();
    for (const { host } of Object.values(trial.hosts)) {
      host.transferFacts = { ...host.transferFacts, live: { possible: true, message: '' } };
      host.delayMs = 20;
      host.passMs = 300;
    }
    await trial.run(21);
    await trial.place('web', 'host-1', { failover: { policy }, migration: { policy: 'LiveIfPossible' } });
    await trial.create('m', { targetNode: 'host-2', mode, deadline: '5m' });
    let lines = 0;
    let isHit = false;
    const write = (): void => {
      const running = Object.values(trial.hosts).filter((host) => host.running().length > 0);
      expect(running.length).toBeLessThanOrEqual(1);
      const instance = running[0]?.host.instances.get('web--default');
      if (instance === undefined) return;
      const log = instance.files?.['log'] ?? '';
      // Its host was lost, no whole copy was left, and its policy is to begin anew.
      const isAnew = policy === 'Recreate' && has('Normal Moved');
      // The target was lost right after the start: what it wrote there meanwhile is lost with it.
      const isBack = policy === 'Recreate' && has('Warning MigrationReturned') && log.length < lines;
      const isExcused = (isAnew && log === '') || isBack;
      expect(isExcused ? lines : log.length).toBe(lines);
      instance.files = { ...instance.files, log: `${log}.` };
      lines = log.length + 1;
    };
    const isDone = (): boolean => {
      const migration = trial.migration('m');
      const { nodeName, phase: state, migration: claim } = trial.container('web').status ?? {};
      const holders = Object.values(trial.hosts).filter((host) => host.instances().length > 0);
      return (
        isHit &&
        isOver(migration?.status ?? {}) &&
        (migration?.metadata.finalizers ?? []).length === 0 &&
        claim === undefined &&
        state === 'Running' &&
        holders.map(({ name }) => name).join() === nodeName
      );
    };
    for (let ms = 0; ms < 180_000 && !isDone(); ms += 10) {
      if (!isHit && trial.phase('m') === phase) {
        isHit = true;
        await VICTIMS[victim]?.();
      }
      await trial.clock.advance(10);
      write();
    }
    expect({ isHit, isDone: isDone() }).toEqual({ isHit: true, isDone: true });
  });
});
