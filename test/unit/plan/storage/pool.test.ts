import { describe, expect, it } from '@jest/globals';
import type { Node } from '../../../../src/crds/node.ts';
import { planPoolDeletion } from '../../../../src/plan/storage/pool-deletion.ts';
import { listNames, type PoolFacts, summarizePool } from '../../../../src/plan/storage/pool-status.ts';
import { node, poolOn, storagePool } from '../../../support/cluster-objects.ts';

const unheard = (name: string): Node => {
  const one = node(name);
  return {
    ...one,
    status: {
      ...one.status,
      conditions: [
        {
          type: 'Ready',
          status: 'Unknown',
          reason: 'LeaseExpired',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  };
};
const without = (one: Node): Node => ({ ...one, status: { ...one.status, pools: [] } });
const failed = poolOn('default', { ready: false, reason: 'CreateFailed', message: 'no space left' });

describe('summarizePool', () => {
  it.each([
    ['no node', [], { status: 'False', reason: 'NoNodes', message: 'No node is selected' }],
    [
      'ready everywhere',
      [node('b'), node('a')],
      { status: 'True', reason: 'Ready', message: 'Ready on 2 nodes' },
    ],
    [
      'the daemon’s own words where it failed',
      [node('a'), node('b', { status: { pools: [failed] } })],
      { status: 'False', reason: 'PartlyReady', message: 'Not ready on 1 of 2 nodes: b: no space left' },
    ],
    [
      'not made yet, and of an earlier pool of that name',
      [without(node('a')), node('b', { status: { pools: [poolOn('default', { poolUid: 'old' })] } })],
      {
        status: 'False',
        reason: 'NotReady',
        message:
          'Not ready on 2 of 2 nodes: a: The agent has not made it yet, b: The agent has not made it yet',
      },
    ],
    [
      'never ready on a node that is not heard of',
      [unheard('a')],
      {
        status: 'False',
        reason: 'NotReady',
        message: 'Not ready on 1 of 1 node: a: Nothing is heard of the node',
      },
    ],
  ])('%s', (_name, nodes, ready) => {
    const summary = summarizePool({ pool: storagePool(), nodes, containers: [] });
    expect(summary.ready).toEqual({ type: 'Ready', observedGeneration: 1, ...ready });
    expect(summary.selectedNodes).toBe(nodes.length);
  });

  it('counts the selected nodes alone, and the containers', () => {
    const pool = storagePool('default', { spec: { nodeSelector: { 'hostler.dev/host': 'a' } } });
    const sized = node('a', { status: { pools: [poolOn('default', { total: '10Gi', used: '1Gi' })] } });
    expect(summarizePool({ pool, nodes: [node('b'), sized], containers: ['default/web'] })).toMatchObject({
      nodes: { a: { ready: true, reason: 'Ready', message: '', total: '10Gi', used: '1Gi' } },
      readyNodes: 1,
      selectedNodes: 1,
      containers: 1,
    });
  });
});

describe('planPoolDeletion', () => {
  const retain = storagePool();
  const remove = storagePool('default', { spec: { reclaimPolicy: 'Delete' } });

  it.each([
    ['Retain: at once', retain, [node('a'), unheard('b')]],
    ['Delete: when no agent reports it any more', remove, [without(node('a'))]],
    [
      'Delete: nodes that were never selected are not asked',
      storagePool('default', { spec: { reclaimPolicy: 'Delete', nodeSelector: { disk: 'ssd' } } }),
      [without(unheard('a'))],
    ],
    [
      'Delete: a pool of the same name made later is another',
      remove,
      [node('a', { status: { pools: [poolOn('default', { poolUid: 'later' })] } })],
    ],
  ])('lets go: %s', (_name, pool, nodes) => {
    expect(planPoolDeletion({ pool, nodes, containers: [] })).toEqual({ done: true });
  });

  const held: [string, PoolFacts, string, string][] = [
    [
      'containers that name it, whatever the policy',
      { pool: retain, nodes: [], containers: ['default/a', 'default/b'] },
      'InUse',
      'Named by 2 containers: default/a, default/b',
    ],
    [
      'a node that still reports it',
      { pool: remove, nodes: [node('a'), without(node('b'))], containers: [] },
      'Removing',
      'Waits for the agents to remove it from a',
    ],
    [
      'a node that is not heard of: silence proves nothing',
      { pool: remove, nodes: [without(unheard('b')), node('a')], containers: [] },
      'Removing',
      'Waits for the agents to remove it from a, b (nothing is heard of b)',
    ],
  ];
  it.each(held)('is held by %s', (_name, facts, reason, message) => {
    expect(planPoolDeletion(facts)).toMatchObject({
      done: false,
      condition: { type: 'Terminating', status: 'True', reason, message },
    });
  });
});

describe('listNames', () => {
  it('lists five at most', () => {
    expect(listNames(['1', '2', '3', '4', '5', '6', '7'])).toBe('1, 2, 3, 4, 5 and 2 more');
  });
});
