import { describe, expect, it } from '@jest/globals';
import type { Container, ContainerMigration } from '../../../../src/crds/container.ts';
import { HOST_FINALIZER } from '../../../../src/crds/kind.ts';
import { planContainer } from '../../../../src/plan/lifecycle/container.ts';
import { planOrphan } from '../../../../src/plan/lifecycle/orphan.ts';
import { newRecord, type SeenInstance } from '../../../../src/plan/lifecycle/record.ts';
import { container } from '../../../support/cluster-objects.ts';

const claim: ContainerMigration = {
  name: 'm',
  uid: 'uid-m',
  source: 'host-1',
  target: 'host-2',
  stage: 'Held',
  transfer: 'Copy',
};
const moving = (nodeName: string, more: Partial<ContainerMigration> | undefined): Container => ({
  ...container('web'),
  status: { nodeName, epoch: 7, ...(more === undefined ? {} : { migration: { ...claim, ...more } }) },
});
const seen = (status: SeenInstance['status'], more: Partial<SeenInstance> = {}): SeenInstance => ({
  name: 'web--default',
  mark: { uid: 'uid-web', epoch: 7, generation: 1 },
  status,
  ...more,
});
function stepOf(one: Container, what: SeenInstance | 'absent', source: 'api' | 'disk' = 'api'): string {
  const step = planContainer({
    container: one,
    nodeName: one.status?.nodeName ?? '',
    highestEpoch: 7,
    source,
    seen: what,
    record: newRecord(one),
    forbiddenConfig: [],
    cause: '',
    nowMs: 0,
  });
  return step.do === 'wait' ? `wait ${step.reason}` : step.do;
}

const deleted = (one: Container): Container => ({
  ...one,
  metadata: { ...one.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [HOST_FINALIZER] },
});

describe('what a node does to a container that is deleted while it moves', () => {
  it.each<[string, Container, SeenInstance | 'absent', string]>([
    ['stops what is held', moving('host-1', {}), seen('Running'), 'stop'],
    ['removes what is held and has stopped', moving('host-1', {}), seen('Stopped'), 'delete'],
    [
      'does not say that nothing is left while a live pass may still bring it',
      moving('host-2', { stage: 'Live' }),
      'absent',
      'wait Migrating',
    ],
    [
      'does not cut a live pass short',
      moving('host-2', { stage: 'Live' }),
      seen('Running', { incoming: 'uid-m' }),
      'wait Migrating',
    ],
    [
      'stops what a live pass has brought',
      moving('host-2', { stage: 'Switched' }),
      seen('Running', { incoming: 'uid-m' }),
      'stop',
    ],
    [
      'drops what was switched over and not taken over yet',
      moving('host-2', { stage: 'Switched' }),
      seen('Stopped', { incoming: 'uid-m' }),
      'drop',
    ],
    ['lets go when the copy is gone', moving('host-2', { stage: 'Switched' }), 'absent', 'release'],
  ])('%s', (_, one, what, expected) => {
    expect(stepOf(deleted(one), what)).toBe(expected);
  });
});

describe('what a node does to a container that moves', () => {
  it.each<[string, Container, SeenInstance | 'absent', string]>([
    ['goes on as ever while it is copied', moving('host-1', { stage: 'Copying' }), seen('Stopped'), 'start'],
    ['stops what is held', moving('host-1', {}), seen('Running'), 'stop'],
    [
      'marks it with the epoch before it stops it',
      moving('host-1', {}),
      seen('Running', { mark: { uid: 'uid-web', epoch: 6, generation: 1 } }),
      'update',
    ],
    ['does not start what is held', moving('host-1', {}), seen('Stopped'), 'wait Migrating'],
    ['does not make anew what is held', moving('host-1', {}), 'absent', 'wait Migrating'],
    [
      'forgets what is held on shared storage',
      moving('host-1', { transfer: 'Shared' }),
      seen('Stopped', { isRootShared: true }),
      'delete',
    ],
    [
      'leaves a live pass alone',
      moving('host-2', { stage: 'Live' }),
      seen('Stopped', { incoming: 'uid-m' }),
      'wait Migrating',
    ],
    [
      'accepts what was switched over',
      moving('host-2', { stage: 'Switched' }),
      seen('Stopped', { incoming: 'uid-m' }),
      'accept',
    ],
    [
      'never makes anew what a migration should have brought',
      moving('host-2', { stage: 'Switched' }),
      'absent',
      'wait CopyMissing',
    ],
    [
      'recovers from shared storage',
      moving('host-2', { stage: 'Switched', transfer: 'Shared' }),
      'absent',
      'create',
    ],
    [
      'drops the copy of a move that came to nothing',
      moving('host-2', undefined),
      seen('Stopped', { incoming: 'uid-x' }),
      'drop',
    ],
    [
      'accepts what runs here and whose move nobody knows any more',
      moving('host-2', undefined),
      seen('Running', { incoming: 'uid-x' }),
      'accept',
    ],
  ])('%s', (_, one, what, expected) => {
    expect(stepOf(one, what)).toBe(expected);
  });

  it('starts nothing that is held from its disk either', () => {
    expect(stepOf(moving('host-1', {}), seen('Stopped'), 'disk')).toBe('wait Migrating');
  });
});

describe('what is left of a container that is placed elsewhere', () => {
  const decide = (nodeName: string, one: Container, incoming?: string): string => {
    const decision = planOrphan({
      mark: { uid: 'uid-web', epoch: 6 },
      ...(incoming === undefined ? {} : { incoming }),
      nodeName,
      highestEpoch: 7,
      container: one,
      cluster: { isTrusted: true },
    });
    return `${decision.do} ${decision.reason}`;
  };
  it.each([
    ['the incoming copy stays', 'host-2', moving('host-1', { stage: 'Copying' }), 'uid-m', 'keep Migrating'],
    [
      'that of another migration goes',
      'host-2',
      moving('host-1', { stage: 'Copying' }),
      'uid-x',
      'remove Reassigned',
    ],
    ['after a roll-back it goes', 'host-2', moving('host-1', undefined), 'uid-m', 'remove Reassigned'],
    [
      "the source's copy stays until the claim goes",
      'host-1',
      moving('host-2', { stage: 'Switched' }),
      undefined,
      'keep Migrating',
    ],
    ['and goes then', 'host-1', moving('host-2', undefined), undefined, 'remove Reassigned'],
    [
      'a third host keeps nothing',
      'host-3',
      moving('host-2', { stage: 'Switched' }),
      undefined,
      'remove Reassigned',
    ],
  ])('%s', (_, nodeName, one, incoming, expected) => {
    expect(decide(nodeName, one, incoming)).toBe(expected);
  });
});
