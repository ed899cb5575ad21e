import { describe, expect, it } from '@jest/globals';
import { nodeStatus } from '../../../../src/plan/failover/node-conditions.ts';
import { leaseRecord } from '../../../../src/plan/failover/lease-record.ts';
import { type StandingFacts, standingOf } from '../../../../src/plan/failover/standing.ts';
import { defaultTiming } from '../../../../src/plan/failover/timing.ts';
import { node } from '../../../support/cluster-objects.ts';
import { nextLease } from '../../../support/lease-agents.ts';

const held = nextLease(
  'a',
  {
    apiVersion: 'v1',
    kind: 'Lease',
    metadata: { name: 'a', resourceVersion: '7' },
    spec: { holderIdentity: 'a', leaseTransitions: 1 },
  },
  { nowMs: 0, sinceReplyMs: 0, members: '3' },
);
const lease = leaseRecord(held as NonNullable<typeof held>);
const members = { version: 3, members: ['a', 'b', 'c'] };
const sight = { sawMs: 10_000, heard: true, timing: defaultTiming };
const word = node('a', { metadata: { annotations: { 'hostler.dev/fenced-by': 'alice' } } });
const device = node('a', { spec: { fencing: { redfish: { url: 'https://bmc', secretName: 's' } } } });
const facts = (more: Partial<StandingFacts>): StandingFacts => ({
  node: node('a'),
  lease,
  verdict: { state: 'Live' },
  sight,
  members,
  nowMs: 10_100,
  sinceMs: 0,
  ...more,
});
const revocable = { verdict: { state: 'Revocable', revision: 7 } as const, nowMs: 18_000 };
const braked = { verdict: { state: 'Braked' } as const, nowMs: 18_000 };
const gone = { ...revocable, lease: undefined, deleted: lease };
const suspect = { state: 'Suspect' } as const;

describe('standingOf', () => {
  it.each<[string, Partial<StandingFacts>, object]>([
    ['renews', {}, { is: 'Live' }],
    ['was found by a new leader', { sight: { ...sight, heard: false } }, { is: 'Unproven' }],
    ['is late, but within duration and margin', { verdict: suspect, nowMs: 15_900 }, { is: 'Live' }],
    ['is later than that', { verdict: suspect, nowMs: 16_000 }, { is: 'Unheard', reason: 'LeaseExpired' }],
    ['has no lease, at first', { lease: undefined, sight: undefined, sinceMs: 10_000 }, { is: 'Unproven' }],
    [
      'has no lease',
      { lease: undefined, sight: undefined, nowMs: 6_000 },
      { is: 'Unheard', reason: 'NoLease' },
    ],
    ['can be fenced by time', revocable, { is: 'Fenceable', proof: 'LeaseExpired' }],
    [
      'had no guard',
      { ...revocable, lease: { ...lease, isGuarded: false } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    [
      'had no guard, but has a device',
      { ...revocable, node: device, lease: { ...lease, isGuarded: false } },
      { is: 'Fenceable', proof: 'Fencing', by: 'Fencing: redfish' },
    ],
    [
      'states no timing',
      { ...revocable, lease: { ...lease, timingFault: 'none' } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    [
      'uses a newer list than this leader',
      { ...revocable, lease: { ...lease, uses: 4 } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    [
      'uses the list before',
      { ...revocable, lease: { ...lease, uses: 2 } },
      { is: 'Fenceable', proof: 'LeaseExpired' },
    ],
    [
      'uses a list that is too old',
      { ...revocable, lease: { ...lease, uses: 1 } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    [
      'has no Node object any more',
      { ...revocable, node: undefined },
      { is: 'Fenceable', proof: 'LeaseExpired' },
    ],
    [
      'has no Node object any more, and had no guard',
      { ...revocable, node: undefined, lease: { ...lease, isGuarded: false } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    ['had its lease deleted, at first', { ...gone, verdict: suspect, nowMs: 11_000 }, { is: 'Unproven' }],
    [
      'had its lease deleted, and makes no new one',
      { ...gone, verdict: suspect },
      { is: 'Unheard', reason: 'LeaseDeleted' },
    ],
    ['had its lease deleted for long enough', gone, { is: 'Fenceable', proof: 'LeaseExpired' }],
    [
      'had its lease deleted, and no guard',
      { ...gone, deleted: { ...lease, isGuarded: false } },
      { is: 'Waiting', reason: 'WaitingForFence' },
    ],
    [
      'is one of many that are silent, without a lease',
      { ...gone, ...braked },
      { is: 'Waiting', reason: 'StormBrake' },
    ],
    [
      'had its revoked lease deleted',
      { ...gone, deleted: { ...lease, holder: '', revokedBy: 'Operator: alice' } },
      { is: 'Fenceable', by: 'Operator: alice' },
    ],
    [
      'had a lease deleted that it was never given',
      { ...gone, deleted: { ...lease, holder: '' } },
      { is: 'Unheard', reason: 'NoLease' },
    ],
    [
      'has no lease that this leader knows of, by the word of an operator',
      { lease: undefined, sight: undefined, nowMs: 6_000, node: word },
      { is: 'Fenceable', proof: 'Operator' },
    ],
    ['is one of many that are silent', braked, { is: 'Waiting', reason: 'StormBrake' }],
    [
      'is one of many that are silent, with a device',
      { ...braked, node: device },
      { is: 'Waiting', reason: 'StormBrake' },
    ],
    [
      'is one of two',
      { ...braked, members: { version: 3, members: ['a', 'b'] } },
      { is: 'Waiting', reason: 'TooFewNodes' },
    ],
    [
      'is one of two, with a device',
      { ...braked, node: device, members: { version: 3, members: ['a', 'b'] } },
      { is: 'Fenceable', proof: 'Fencing' },
    ],
    [
      'is off by the word of an operator',
      { verdict: suspect, node: word },
      { is: 'Fenceable', proof: 'Operator', by: 'Operator: alice' },
    ],
    ['is off by that word, brake or not', { ...braked, node: word }, { is: 'Fenceable', proof: 'Operator' }],
    ['renews whatever an operator says', { node: word }, { is: 'Live' }],
    ['is new', { lease: { ...lease, holder: '', rejoinAsked: true } }, { is: 'Joining' }],
    [
      'was fenced',
      { lease: { ...lease, holder: '', revokedBy: 'LeaseExpired' } },
      { is: 'Fenced', by: 'LeaseExpired' },
    ],
    [
      'was fenced and is back',
      { lease: { ...lease, holder: '', revokedBy: 'LeaseExpired', rejoinAsked: true } },
      { is: 'Joining' },
    ],
  ])('of a node that %s', (_, more, expected) => {
    expect(standingOf(facts(more))).toMatchObject(expected);
  });

  it('says the same of a node the second time, so that nothing is written', () => {
    for (const more of [
      {},
      revocable,
      braked,
      { lease: { ...lease, holder: '', revokedBy: 'Operator: bob' } },
    ]) {
      const standing = standingOf(facts(more));
      const told = {
        ...node('a'),
        status: nodeStatus(node('a'), { standing, lease, flapping: true }, '2026-01-01T00:00:00Z'),
      };
      const again = nodeStatus(told, { standing, lease, flapping: true }, '2026-02-02T00:00:00Z');
      expect(again).toEqual(told.status);
    }
  });
});

describe('leaseRecord', () => {
  it.each([
    ['nothing', undefined, 'its agent does not say how long its lease lasts'],
    ['no JSON', '{', 'the timing that its agent states cannot be relied on: it is incomplete'],
    [
      'nonsense',
      JSON.stringify({ ...defaultTiming, fenceDelayMs: 0 }),
      expect.stringContaining('fenceDelayMs must be more than 0'),
    ],
    ['sense', JSON.stringify(defaultTiming), undefined],
  ])('of a lease whose timing says %s', (_, text, fault) => {
    const annotations: Record<string, string> = text === undefined ? {} : { 'hostler.dev/timing': text };
    const record = leaseRecord({
      apiVersion: 'v1',
      kind: 'Lease',
      metadata: { name: 'a', annotations },
      spec: {},
    });
    expect(record.timingFault).toEqual(fault);
    expect(record.timing).toEqual(defaultTiming);
  });
});
