import { describe, expect, it } from '@jest/globals';
import type { Migration, MigrationStatus } from '../../../../src/crds/migration.ts';
import type { Seen } from '../../../../src/plan/lifecycle/record.ts';
import { planMigration } from '../../../../src/plan/migration/migration.ts';
import { planSource, staysAtSource } from '../../../../src/plan/migration/source.ts';
import { planTarget, staysAtTarget } from '../../../../src/plan/migration/target.ts';
import { container } from '../../../support/cluster-objects.ts';

/** What the two agents do next; whoever can go by what is written looks at nothing. */
const UID = 'uid-web';

function migration(status: MigrationStatus): Migration {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Migration',
    metadata: { name: 'm', namespace: 'default', uid: 'uid-m' },
    spec: { container: 'web' },
    status: { source: 'host-1', target: 'host-2', mode: 'Cold', transfer: 'Copy', ...status },
  };
}

const ours: Seen = {
  name: 'web--default',
  status: 'Running',
  mark: { uid: UID, epoch: 1, generation: 1 },
};
const stopped = { uid: UID, epoch: 2, state: 'Stopped' as const };

describe("the source's agent", () => {
  const step = (status: MigrationStatus, more: Partial<Parameters<typeof planSource>[0]> = {}) =>
    planSource({ migration: migration(status), uid: UID, seen: undefined, letGo: undefined, ...more });

  it.each<[string, MigrationStatus, string]>([
    ['has nothing to do before it is asked', { phase: 'Pending' }, 'nothing'],
    ['looks whether it has the instance', { phase: 'Preparing' }, 'look'],
    [
      'looks no more once it has said so',
      { phase: 'Preparing', sourceReport: { prepared: true } },
      'nothing',
    ],
    ['offers a pass without a look', { phase: 'Refreshing', pass: 2, sourceReport: { offered: 1 } }, 'offer'],
    ['offers it once', { phase: 'Copying', pass: 1, sourceReport: { offered: 1 } }, 'nothing'],
    ['looks after the switch once the target runs it', { phase: 'Completing' }, 'nothing'],
    ['and then whether anything is left', { phase: 'Completing', pauseMs: 9 }, 'look'],
    ['ends its offers at the end', { phase: 'Failed' }, 'end'],
  ])('%s', (_, status, expected) => {
    expect(step(status).do).toBe(expected);
  });

  it('offers the first pass together with its word that it can', () => {
    expect(step({ phase: 'Preparing' }, { seen: ours })).toEqual({
      do: 'offer',
      pass: 1,
      live: false,
      report: { prepared: true },
    });
    const shared = step({ phase: 'Preparing', transfer: 'Shared' }, { seen: ours });
    expect(shared).toEqual({ do: 'report', report: { prepared: true } });
  });

  it.each<[string, Seen, string | undefined]>([
    ['has none', 'absent', 'InstanceMissing'],
    [
      "has another Container's",
      { ...ours, mark: { uid: 'other', epoch: 1, generation: 1 } },
      'InstanceMissing',
    ],
    ['has an incoming copy only', { ...ours, incoming: 'uid-m' }, 'InstanceMissing'],
    ['cannot tell', 'unknown', undefined],
  ])('offers nothing when it %s', (_, seen, reason) => {
    const next = step({ phase: 'Preparing' }, { seen });
    expect(next.do).toBe(reason === undefined ? 'wait' : 'report');
    expect(next.do === 'report' ? next.report.fault?.reason : undefined).toBe(reason);
  });

  it('offers the last pass when the container is let go under that very epoch', () => {
    const status: MigrationStatus = {
      phase: 'SwitchingOver',
      pass: 2,
      epoch: 2,
      sourceReport: { offered: 1 },
    };
    expect(step(status).do).toBe('wait');
    expect(step(status, { letGo: { ...stopped, state: 'Up' } }).do).toBe('wait');
    expect(step(status, { letGo: { ...stopped, epoch: 1 } }).do).toBe('wait');
    expect(step(status, { letGo: { ...stopped, uid: 'other' } }).do).toBe('wait');
    expect(step(status, { letGo: stopped })).toMatchObject({ do: 'offer', report: { stoppedEpoch: 2 } });
  });
});

describe("the target's agent", () => {
  const step = (status: MigrationStatus, triedPass?: number) =>
    planTarget({ migration: migration(status), nodeName: 'host-2', sight: undefined, triedPass });

  it.each<[string, MigrationStatus, string]>([
    ['looks whether it can take it', { phase: 'Preparing' }, 'look'],
    [
      'looks no more once it has said so',
      { phase: 'Preparing', targetReport: { prepared: true } },
      'nothing',
    ],
    [
      'fetches nothing before both have said that they can',
      { phase: 'Preparing', sourceReport: { prepared: true, offered: 1 }, targetReport: { prepared: true } },
      'nothing',
    ],
    ['fetches without a look', { phase: 'Copying', pass: 1, sourceReport: { offered: 1 } }, 'pull'],
    [
      'fetches nothing that is not on offer',
      { phase: 'Copying', pass: 2, sourceReport: { offered: 1 } },
      'nothing',
    ],
    [
      'looks before a live pass',
      { phase: 'SwitchingOver', mode: 'Live', pass: 2, epoch: 2, sourceReport: { offered: 2 } },
      'look',
    ],
    ['leaves the rest to the work on containers', { phase: 'Completing' }, 'nothing'],
    ['looks at the end what is left', { phase: 'Cancelled' }, 'look'],
    ['has nothing left to look at after a success', { phase: 'Succeeded' }, 'nothing'],
  ])('%s', (_, status, expected) => {
    expect(step(status).do).toBe(expected);
  });

  it('tries a pass once', () => {
    expect(step({ phase: 'Copying', pass: 1, sourceReport: { offered: 1 } }, 1).do).toBe('nothing');
  });
});

it('a first offer that failed is made again, and is no reason to give up', () => {
  const fault = { reason: 'OfferFailed', message: 'busy' };
  const claim = {
    name: 'm',
    uid: 'uid-m',
    source: 'host-1',
    target: 'host-2',
    stage: 'Copying' as const,
    transfer: 'Copy' as const,
  };
  const node = (name: string) => ({
    isReady: true,
    isFenced: false,
    seat: { node: name, term: 1, failover: 'Stay' as const },
  });
  const plan = (status: MigrationStatus) =>
    planMigration({
      migration: migration(status),
      container: { ...container('web'), status: { nodeName: 'host-1', epoch: 1, migration: claim } },
      source: node('host-1'),
      target: node('host-2'),
      now: { ms: 0, iso: new Date(0).toISOString() },
      begunMs: 0,
    });
  const reports = {
    sourceReport: { prepared: true, failedPass: 1, fault },
    targetReport: { prepared: true },
  };
  const begun = plan({ phase: 'Preparing', ...reports });
  expect(begun).toMatchObject({ do: 'status', status: { phase: 'Copying', pass: 1 } });
  const again = plan(begun.do === 'status' ? begun.status : {});
  expect(again).toMatchObject({ do: 'status', status: { phase: 'Copying', pass: 2, failures: 1 } });
  const refused = plan({ phase: 'Preparing', sourceReport: { fault }, targetReport: { prepared: true } });
  expect(refused).toMatchObject({ do: 'status', status: { phase: 'Failed' } });
});

describe('what is left, or has come, of a container that is placed elsewhere', () => {
  const prepared = { targetReport: { prepared: true } };
  it.each<[string, MigrationStatus, boolean, boolean]>([
    ['while it is not known whether it can begin', { phase: 'Preparing', ...prepared }, false, false],
    ['while the target has not looked at what is in the way', { phase: 'Copying' }, false, false],
    ['while it is copied', { phase: 'Copying', ...prepared }, false, true],
    ['while it is copied again', { phase: 'Refreshing', ...prepared }, false, true],
    ['while it is switched over', { phase: 'SwitchingOver', ...prepared }, true, true],
    [
      'while it goes live, of which the source takes note',
      { phase: 'SwitchingOver', mode: 'Live', ...prepared },
      false,
      true,
    ],
    ['on shared storage', { phase: 'SwitchingOver', transfer: 'Shared', ...prepared }, false, false],
    ['until the target runs it', { phase: 'Completing', ...prepared }, true, false],
    ['once the target runs it', { phase: 'Completing', pauseMs: 5, ...prepared }, false, false],
    ['once it is over', { phase: 'Succeeded', ...prepared }, false, false],
    ['once it was given up', { phase: 'Cancelled', ...prepared }, false, false],
  ])('%s', (_, status, atSource, atTarget) => {
    const one = migration(status);
    expect([staysAtSource(one), staysAtTarget(one)]).toEqual([atSource, atTarget]);
  });
});
