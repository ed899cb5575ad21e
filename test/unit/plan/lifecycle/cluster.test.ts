import { describe, expect, it } from '@jest/globals';
import {
  type ClusterFacts,
  judgeCluster,
  type KnownCluster,
} from '../../../../src/plan/lifecycle/cluster.ts';

const known: KnownCluster = { uid: 'ours', resourceVersion: '100' };
const wentBack: KnownCluster = { ...known, wentBack: true };
const seen = { uid: 'ours', resourceVersion: '100' };
const older = { seen: { ...seen, resourceVersion: '7' }, isOlder: true };
const foreign = { seen: { uid: 'theirs', resourceVersion: '500' }, isNewer: true };

const rows: [string, Partial<ClusterFacts>, string, KnownCluster][] = [
  ['trusts the first API that is heard', { known: undefined }, 'trusted', known],
  ['trusts the same again', {}, 'trusted', known],
  [
    'remembers a higher version',
    { seen: { ...seen, resourceVersion: '101' }, isNewer: true },
    'trusted',
    { uid: 'ours', resourceVersion: '101' },
  ],
  [
    'remembers the highest when reads overtake each other',
    { seen: { ...seen, resourceVersion: '99' } },
    'trusted',
    known,
  ],
  ['refuses another cluster, and remembers its own', foreign, 'ForeignCluster', known],
  ['refuses another cluster whose store is younger', { ...foreign, isOlder: true }, 'ForeignCluster', known],
  ['trusts its own cluster again after another one', {}, 'trusted', known],
  ['refuses a store that went back', older, 'StoreWentBack', wentBack],
  [
    'refuses it still when its versions have grown past what was known',
    { known: wentBack, seen: { ...seen, resourceVersion: '900' }, isNewer: true },
    'StoreWentBack',
    wentBack,
  ],
  [
    'takes over another cluster that was accepted',
    { ...foreign, acceptedUid: 'theirs' },
    'trusted',
    { uid: 'theirs', resourceVersion: '500' },
  ],
  [
    'takes over an older store that was accepted',
    { ...older, known: wentBack, acceptedUid: 'ours' },
    'trusted',
    { uid: 'ours', resourceVersion: '7' },
  ],
  [
    'does not take over what was not accepted',
    { ...foreign, acceptedUid: 'others' },
    'ForeignCluster',
    known,
  ],
  [
    'goes on as before when what is accepted is what is known',
    { acceptedUid: 'ours', seen: { ...seen, resourceVersion: '99' } },
    'trusted',
    known,
  ],
];

describe('judgeCluster', () => {
  it.each(rows)('%s', (_sentence, more, expected, remembered) => {
    const facts = { known, seen, isOlder: false, isNewer: false, acceptedUid: undefined, ...more };
    const { verdict, known: next } = judgeCluster(facts);
    expect(verdict.isTrusted ? 'trusted' : verdict.reason).toBe(expected);
    expect(next).toEqual(remembered);
  });

  it('tells the operator what to accept', () => {
    const facts = { known, isOlder: false, acceptedUid: undefined, ...foreign };
    expect(judgeCluster(facts).verdict).toMatchObject({
      message: expect.stringContaining('--accept-cluster theirs'),
    });
  });
});
