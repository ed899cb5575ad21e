import { describe, expect, it } from '@jest/globals';
import type { StoragePool, StoragePoolStatus } from '../../../../src/crds/storage-pool.ts';
import {
  anchorOf,
  answersDue,
  judgeProof,
  type ProofFacts,
  type SeenFilesystem,
} from '../../../../src/plan/storage/shared-proof.ts';
import { node, poolOn, storagePool } from '../../../support/cluster-objects.ts';

const mounted = (more: Partial<Extract<SeenFilesystem, { is: 'mounted' }>> = {}): SeenFilesystem => ({
  is: 'mounted',
  markerUid: 'u1',
  anchorProof: 'of-a',
  answer: undefined,
  ...more,
});
const facts: ProofFacts = {
  poolUid: 'u1',
  nodeName: 'b',
  proof: 'of-b',
  anchor: { node: 'a', proof: 'of-a' },
  seen: mounted(),
  shownForMs: 1_000,
};

describe('judgeProof', () => {
  const rows: [string, Partial<ProofFacts>, { ready: boolean; reason: string; isShown: boolean }][] = [
    [
      'nothing is mounted',
      { seen: { is: 'NotMounted', message: 'Nothing is mounted' } },
      { ready: false, reason: 'NotMounted', isShown: false },
    ],
    [
      'another StoragePool was there first, even where an answer is',
      { seen: mounted({ markerUid: 'other', answer: 'of-b' }) },
      { ready: false, reason: 'ForeignPool', isShown: false },
    ],
    ['nobody is the anchor yet', { anchor: undefined }, { ready: false, reason: 'Proving', isShown: true }],
    [
      'it is the anchor itself',
      { anchor: { node: 'b', proof: 'of-b' } },
      { ready: true, reason: 'Ready', isShown: true },
    ],
    [
      'it was the anchor before it started again',
      { anchor: { node: 'b', proof: 'older' } },
      { ready: false, reason: 'Proving', isShown: true },
    ],
    [
      'the anchor has answered its proof',
      { seen: mounted({ answer: 'of-b' }) },
      { ready: true, reason: 'Ready', isShown: true },
    ],
    [
      'an answer to an older proof is none',
      { seen: mounted({ answer: 'older' }) },
      { ready: false, reason: 'Proving', isShown: true },
    ],
    [
      'the anchor has not seen its proof yet',
      { seen: mounted({ anchorProof: undefined }), shownForMs: undefined },
      { ready: false, reason: 'Proving', isShown: true },
    ],
    [
      'the proof of the anchor is not there',
      { seen: mounted({ anchorProof: 'older' }) },
      { ready: false, reason: 'NotTheSameFilesystem', isShown: true },
    ],
    [
      'the proof of the anchor is there, but it answers elsewhere: a copy',
      { shownForMs: 15_000 },
      { ready: false, reason: 'NotTheSameFilesystem', isShown: true },
    ],
  ];
  it.each(rows)('%s', (_case, more, expected) => {
    expect(judgeProof({ ...facts, ...more })).toMatchObject(expected);
  });
});

describe('anchorOf', () => {
  const has = (name: string, reason: string, { proof = `of-${name}`, heard = true } = {}) => {
    const pools = [
      poolOn('shared', { ready: reason === 'Ready', reason, ...(proof === '' ? {} : { proof }) }),
    ];
    const one = node(name, { status: { pools } });
    for (const condition of one.status?.conditions ?? []) if (!heard) condition.status = 'Unknown';
    return one;
  };
  const poolWith = (anchor?: StoragePoolStatus['anchor']): StoragePool => ({
    ...storagePool('shared', { spec: { access: 'Shared', source: '/mnt' } }),
    ...(anchor === undefined ? {} : { status: { anchor } }),
  });
  const a = { node: 'a', proof: 'of-a' };
  const b = { node: 'b', proof: 'of-b' };

  it.each([
    ['nobody has it', undefined, [node('a')], undefined],
    ['the first that asks', undefined, [has('b', 'Proving'), has('a', 'Proving')], a],
    [
      'one that has nothing to show is none',
      undefined,
      [has('a', 'NotMounted', { proof: '' }), has('b', 'Proving')],
      b,
    ],
    ['it stays while it is confirmed', b, [has('a', 'Ready'), has('b', 'Ready')], b],
    [
      'it has started again, and another is confirmed',
      a,
      [has('a', 'Proving', { proof: 'new' }), has('b', 'Ready')],
      b,
    ],
    [
      'it has started again, and nobody else is confirmed',
      a,
      [has('a', 'Proving', { proof: 'new' }), has('b', 'Proving')],
      { node: 'a', proof: 'new' },
    ],
    ['it is lost', a, [has('a', 'Ready', { heard: false }), has('b', 'Ready')], b],
    [
      'it is lost, and nobody was confirmed',
      a,
      [has('a', 'Ready', { heard: false }), has('b', 'NotTheSameFilesystem')],
      b,
    ],
    ['everybody is lost: nothing changes', a, [has('a', 'Ready', { heard: false })], a],
  ])('%s', (_case, before, nodes, expected) => {
    expect(anchorOf(poolWith(before), nodes)).toEqual(expected);
  });

  it('owes answers to all others, and only while it is the anchor', () => {
    const nodes = {
      a: { ready: true, reason: 'Ready', message: '', proof: 'of-a' },
      b: { ready: false, reason: 'Proving', message: '', proof: 'of-b' },
      c: { ready: false, reason: 'NotMounted', message: '' },
    };
    const pool = { ...storagePool('shared'), status: { anchor: a, nodes } };
    expect([...answersDue(pool, 'a')]).toEqual([['b', 'of-b']]);
    expect([...answersDue(pool, 'b')]).toEqual([]);
  });
});
