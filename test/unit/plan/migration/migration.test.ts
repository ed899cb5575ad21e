import { describe, expect, it } from '@jest/globals';
import type { Container, ContainerStatus } from '../../../../src/crds/container.ts';
import type { MigrationStage } from '../../../../src/crds/container-migration.ts';
import { type Migration, MIGRATION_FINALIZER, type MigrationStatus } from '../../../../src/crds/migration.ts';
import type { MigrationFacts, MigrationStep, NodeSight } from '../../../../src/plan/migration/facts.ts';
import { planMigration } from '../../../../src/plan/migration/migration.ts';
import { container } from '../../../support/cluster-objects.ts';

const NOW = Date.UTC(2026, 0, 1);
const at = (ms: number): string => new Date(ms).toISOString();
const seat = (node: string) => ({ node, term: 4, failover: 'Stay' as const });
const node = (name: string, more: Partial<NodeSight> = {}): NodeSight => ({
  isReady: true,
  isFenced: false,
  seat: seat(name),
  ...more,
});

function migration(status: MigrationStatus = {}, more: Partial<Migration> = {}): Migration {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Migration',
    metadata: {
      name: 'm',
      namespace: 'default',
      uid: 'uid-m',
      generation: 1,
      finalizers: [MIGRATION_FINALIZER],
    },
    spec: { container: 'web', targetNode: 'host-2' },
    status: { source: 'host-1', target: 'host-2', mode: 'Cold', transfer: 'Copy', ...status },
    ...more,
  };
}

function moving(stage: MigrationStage | undefined, status: Partial<ContainerStatus> = {}): Container {
  const claim = {
    name: 'm',
    uid: 'uid-m',
    source: 'host-1',
    target: 'host-2',
    transfer: 'Copy' as const,
  };
  const nodeName = stage === 'Live' || stage === 'Switched' ? 'host-2' : 'host-1';
  return {
    ...container('web'),
    status: {
      nodeName,
      epoch: 7,
      phase: 'Migrating',
      ...(stage === undefined ? {} : { migration: { ...claim, stage } }),
      ...status,
    },
  };
}

const facts = (
  one: Migration,
  of: Container | undefined,
  more: Partial<MigrationFacts> = {},
): MigrationFacts => ({
  migration: one,
  container: of,
  source: node('host-1'),
  target: node('host-2'),
  now: { ms: NOW, iso: at(NOW) },
  begunMs: NOW - 1_000,
  pauseStartedMs: NOW - 500,
  ...more,
});

/** `container switch`, `status Failed PauseTooLong`, `nothing`. */
function told(step: MigrationStep): string {
  switch (step.do) {
    case 'container':
      return `container ${step.what}`;
    case 'status': {
      const { reason } = step.status.conditions?.find(({ type }) => type === 'Succeeded') ?? {};
      return `status ${step.status.phase}${step.status.phase === reason ? '' : ` ${reason}`}`;
    }
    default:
      return step.do;
  }
}

const HELD: MigrationStatus = { phase: 'SwitchingOver', epoch: 7, pass: 3, final: true };
const STOPPED = { stoppedEpoch: 7, offered: 3 };

describe('the switch of a cold move', () => {
  it.each<[string, MigrationStatus, string]>([
    [
      'is made with both reports',
      { ...HELD, sourceReport: STOPPED, targetReport: { pass: 3 } },
      'container switch',
    ],
    ['waits for the source', { ...HELD, targetReport: { pass: 3 } }, 'nothing'],
    ['waits for the last pass', { ...HELD, sourceReport: STOPPED, targetReport: { pass: 2 } }, 'nothing'],
    [
      'does not believe that it stopped under an older epoch',
      { ...HELD, sourceReport: { ...STOPPED, stoppedEpoch: 6 }, targetReport: { pass: 3 } },
      'nothing',
    ],
    [
      'does not take a pass from before the stop for the last one',
      { ...HELD, final: false, sourceReport: STOPPED, targetReport: { pass: 3 } },
      'nothing',
    ],
    [
      'makes a pass again that failed',
      { ...HELD, sourceReport: STOPPED, targetReport: { failedPass: 3 } },
      'status SwitchingOver',
    ],
    [
      'gives up after the second one',
      { ...HELD, failures: 1, sourceReport: STOPPED, targetReport: { failedPass: 3 } },
      'status Failed TransferFailed',
    ],
    ['says under which epoch it is held', { phase: 'Copying', pass: 2 }, 'status SwitchingOver'],
  ])('%s', (_, status, expected) => {
    expect(told(planMigration(facts(migration(status), moving('Held'))))).toBe(expected);
  });

  it('places it on the target under a new epoch and its present term', () => {
    const status = { ...HELD, sourceReport: STOPPED, targetReport: { pass: 3 } };
    const step = planMigration(facts(migration(status), moving('Held')));
    expect(step).toMatchObject({
      do: 'container',
      status: { nodeName: 'host-2', epoch: 8, term: 4, phase: 'Migrating', migration: { stage: 'Switched' } },
    });
  });

  it.each<[string, Partial<MigrationFacts>, MigrationStatus, string]>([
    [
      'the source is lost before it has stopped',
      { source: node('host-1', { isReady: false }) },
      HELD,
      'SourceLost',
    ],
    ['the target is lost', { target: node('host-2', { isReady: false }) }, HELD, 'TargetLost'],
    ['the deadline has passed', { begunMs: NOW - 31 * 60_000 }, HELD, 'DeadlineExceeded'],
    ['it is held for too long', { pauseStartedMs: NOW - 10 * 60_000 }, HELD, 'PauseTooLong'],
  ])('is not made when %s', (_, more, status, reason) => {
    expect(told(planMigration(facts(migration(status), moving('Held'), more)))).toBe(
      `status Failed ${reason}`,
    );
  });

  it('is made although the source is lost, once it has let go and the copy is whole', () => {
    const status = { ...HELD, sourceReport: STOPPED, targetReport: { pass: 3 } };
    const lost = { source: node('host-1', { isReady: false }) };
    expect(told(planMigration(facts(migration(status), moving('Held'), lost)))).toBe('container switch');
  });
});

describe('a live pass', () => {
  const live: MigrationStatus = { phase: 'SwitchingOver', mode: 'Live', epoch: 7, pass: 3, final: true };
  const fenced = { target: node('host-2', { isFenced: true, isReady: false }) };
  it.each<[string, MigrationStatus, Partial<MigrationFacts>, string]>([
    ['is waited for', { sourceReport: { offered: 3 } }, {}, 'nothing'],
    ['has arrived when the target says so', { targetReport: { runningEpoch: 7 } }, {}, 'container arrived'],
    ['has not by the word of an older epoch', { targetReport: { runningEpoch: 6 } }, {}, 'nothing'],
    ['goes back when nothing of it is left', { targetReport: { clearedEpoch: 7 } }, {}, 'container return'],
    ['does not go back on a failure alone', { targetReport: { failedPass: 3 } }, {}, 'nothing'],
    ['goes back when the target is fenced', { sourceReport: { offered: 3 } }, fenced, 'container return'],
    [
      'does not go back because the target is silent',
      { sourceReport: { offered: 3 } },
      { target: node('host-2', { isReady: false }) },
      'nothing',
    ],
  ])('%s', (_, status, more, expected) => {
    expect(told(planMigration(facts(migration({ ...live, ...status }), moving('Live'), more)))).toBe(
      expected,
    );
  });

  it('that has come back goes on cold, or fails where it was asked for outright', () => {
    const back = moving('Copying', { epoch: 8 });
    const wished = migration(live, { spec: { container: 'web', mode: 'LiveIfPossible' } });
    expect(planMigration(facts(wished, back))).toMatchObject({
      do: 'status',
      status: { phase: 'Refreshing', mode: 'Cold', pass: 4, final: false },
    });
    const outright = migration(live, { spec: { container: 'web', mode: 'Live' } });
    expect(told(planMigration(facts(outright, back)))).toBe('status Failed TransferFailed');
  });

  it('is not taken for one that has come back by an older view of the container', () => {
    expect(told(planMigration(facts(migration(live), moving('Copying', { epoch: 6 }))))).toBe('nothing');
  });
});

describe('after the switch', () => {
  const completing: MigrationStatus = { phase: 'Completing', epoch: 7, pass: 3, final: true };
  it.each<[string, MigrationStatus, Partial<ContainerStatus>, string]>([
    ['the claim stays until the target runs it', {}, {}, 'nothing'],
    ['the pause is written down', {}, { phase: 'Running' }, 'status Completing'],
    ['and then the claim goes', { pauseMs: 900 }, { phase: 'Running' }, 'container release'],
  ])('%s', (_, status, seen, expected) => {
    expect(
      told(planMigration(facts(migration({ ...completing, ...status }), moving('Switched', seen)))),
    ).toBe(expected);
  });

  it('succeeds once the source is clear, or after a while without it', () => {
    const arrived = { ...completing, pauseMs: 900 };
    const free = moving(undefined, { nodeName: 'host-2', phase: 'Running' });
    const cleared = { ...arrived, sourceReport: { cleared: true } };
    expect(told(planMigration(facts(migration(arrived), free)))).toBe('nothing');
    expect(told(planMigration(facts(migration(cleared), free)))).toBe('status Succeeded');
    const lost = { source: node('host-1', { isReady: false }) };
    expect(told(planMigration(facts(migration(arrived), free, lost)))).toBe('status Succeeded');
  });

  it('a deletion does not stop it', () => {
    const deleted = migration({ ...completing });
    deleted.metadata.deletionTimestamp = at(NOW);
    expect(told(planMigration(facts(deleted, moving('Switched'))))).toBe('nothing');
  });
});

describe('a migration that is over', () => {
  const over: MigrationStatus = { phase: 'Failed' };
  const fenced = { target: node('host-2', { isFenced: true, isReady: false }) };
  it.each<[string, MigrationStage | undefined, Partial<ContainerStatus>, Partial<MigrationFacts>, string]>([
    ['lets go', undefined, {}, {}, 'letGo'],
    ['gives back what it copied', 'Copying', {}, {}, 'container release'],
    ['gives back what it held', 'Held', {}, {}, 'container release'],
    ['keeps the claim while a live pass may go on', 'Live', {}, {}, 'nothing'],
    ['keeps the claim until the target runs it', 'Switched', {}, {}, 'nothing'],
    ['gives it up then', 'Switched', { phase: 'Running' }, {}, 'container release'],
    ['takes it back from a target that is fenced', 'Switched', {}, fenced, 'container return'],
  ])('%s', (_, stage, status, more, expected) => {
    expect(told(planMigration(facts(migration(over), moving(stage, status), more)))).toBe(expected);
  });

  it('gives what it held a new epoch, so that a late word about the hold is void', () => {
    const step = planMigration(facts(migration(over), moving('Held')));
    expect(step).toMatchObject({ do: 'container', status: { epoch: 8, nodeName: 'host-1' } });
  });
});

describe('what has arrived', () => {
  const ready = (reason: string) => [
    { type: 'Ready', status: 'False' as const, reason, message: '', lastTransitionTime: at(NOW) },
  ];
  it.each<[string, Partial<ContainerStatus>, string]>([
    ['what runs', { phase: 'Running' }, 'container release'],
    ['what has ended there by itself', { phase: 'Stopped', conditions: ready('Ended') }, 'container release'],
    ['what has failed there by itself', { phase: 'Failed', conditions: ready('Error') }, 'container release'],
    ['what is restarted there', { phase: 'Failed', conditions: ready('BackOff') }, 'container release'],
    ['not what cannot be started', { phase: 'Failed', conditions: ready('FailedStart') }, 'nothing'],
    ['not what is on its way', { phase: 'Migrating', conditions: ready('Migrating') }, 'nothing'],
  ])('is %s', (_, status, expected) => {
    const completing = migration({ phase: 'Completing', epoch: 7, pauseMs: 900 });
    expect(told(planMigration(facts(completing, moving('Switched', status))))).toBe(expected);
  });
});

describe('a pause that was longer than wished for', () => {
  it.each([
    ['2s', 2_001, 'It runs on host-2; its pause of 2001 ms was longer than spec.maxPause, 2s'],
    ['2s', 2_000, 'It runs on host-2'],
    [undefined, 90_000, 'It runs on host-2'],
  ])('of %s at most, and took %d ms, is told', (maxPause, pauseMs, message) => {
    const done: MigrationStatus = { phase: 'Completing', pauseMs, sourceReport: { cleared: true } };
    const spec = { container: 'web', ...(maxPause === undefined ? {} : { maxPause }) };
    const step = planMigration(
      facts(migration(done, { spec }), moving(undefined, { nodeName: 'host-2', phase: 'Running' })),
    );
    expect(told(step)).toBe('status Succeeded');
    const said =
      step.do === 'status' ? step.status.conditions?.find(({ type }) => type === 'Succeeded') : undefined;
    expect(said?.message).toBe(message);
  });
});

describe('the deadline', () => {
  it.each<[MigrationStage, MigrationStatus, string]>([
    ['Copying', { phase: 'Copying', pass: 2 }, 'in phase Copying'],
    ['Held', HELD, 'in phase SwitchingOver'],
    [
      'Live',
      { ...HELD, mode: 'Live' },
      'in phase SwitchingOver; the live pass is not cut short: what comes of it decides whether the container is on host-2',
    ],
    [
      'Switched',
      { phase: 'Completing' },
      'in phase Completing; the container is placed on host-2 all the same',
    ],
  ])('that passes under the claim %s says where the container is to be looked for', (stage, status, end) => {
    const late = facts(migration(status), moving(stage), { begunMs: NOW - 31 * 60_000 });
    const step = planMigration(late);
    const said =
      step.do === 'status' ? step.status.conditions?.find(({ type }) => type === 'Succeeded') : undefined;
    expect(said).toMatchObject({
      reason: 'DeadlineExceeded',
      message: `spec.deadline, 30m from its creation, has passed ${end}`,
    });
  });
});

describe('what tools that go by kstatus see', () => {
  const kstatus = (step: MigrationStep) =>
    step.do === 'status'
      ? step.status.conditions
          ?.filter(({ type }) => type === 'Reconciling' || type === 'Stalled')
          .map(({ type, status, reason, observedGeneration }) => ({
            type,
            status,
            reason,
            observedGeneration,
          }))
      : step.do;

  it('is Reconciling on the way', () => {
    const step = planMigration(facts(migration({ phase: 'Copying', pass: 2 }), moving('Held')));
    expect(kstatus(step)).toEqual([
      { type: 'Reconciling', status: 'True', reason: 'SwitchingOver', observedGeneration: 1 },
    ]);
  });

  it('is Stalled, and no more Reconciling, when it has failed', () => {
    const begun = planMigration(facts(migration({ phase: 'Copying', pass: 2 }), moving('Held')));
    if (begun.do !== 'status') throw new Error(begun.do);
    const late = facts(migration(begun.status), moving('Held'), { begunMs: NOW - 31 * 60_000 });
    expect(kstatus(planMigration(late))).toEqual([
      { type: 'Stalled', status: 'True', reason: 'DeadlineExceeded', observedGeneration: 1 },
    ]);
  });
});
