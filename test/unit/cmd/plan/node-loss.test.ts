import { describe, expect, it } from '@jest/globals';
import { formatNodeLoss } from '../../../../src/cmd/plan/node-loss-table.ts';
import { readNodeLoss } from '../../../../src/cmd/plan/read-node-loss.ts';
import { formatMembers } from '../../../../src/plan/failover/membership.ts';
import type { Container } from '../../../../src/crds/container.ts';
import { container, node, storagePool } from '../../../support/cluster-objects.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeObjectStore } from '../../../support/fake-object-store.ts';
import { nextLease } from '../../../support/lease-agents.ts';

const { signal } = new AbortController();
const on = (name: string, spec: Partial<Container['spec']>, failover: 'Recreate' | 'Stay'): Container => ({
  ...container(name, { spec }),
  status: { nodeName: 'host-2', epoch: 1, term: 1, failover },
});
const recreate = { failover: { policy: 'Recreate' as const } };

function cluster(...names: string[]) {
  const store = createFakeObjectStore(createFakeClock());
  const holding = { spec: { holderIdentity: 'host-2', leaseTransitions: 1 } };
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'host-2' },
    ...holding,
  };
  const data = formatMembers({ version: 1, members: names });
  store.seed(
    ...names.map((name) => node(name)),
    storagePool(),
    nextLease('host-2', lease, { nowMs: 0, sinceReplyMs: 0 }) ?? lease,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'hostler-members', namespace: 'hostler-nodes' },
      data,
    } as never,
  );
  return store;
}

describe('hostler plan node-loss', () => {
  it('shows what goes where, in order of priority, and what does not', async () => {
    const store = cluster('host-1', 'host-2', 'host-3');
    const big = { ...recreate, resources: { memory: '7Gi' } };
    store.seed(
      on('a', big, 'Recreate'),
      on('b', { ...big, priority: 5 }, 'Recreate'),
      on('c', big, 'Recreate'),
      on('d', {}, 'Stay'),
      on('e', recreate, 'Stay'),
    );
    const loss = await readNodeLoss(store, 'host-2', signal);
    const text = formatNodeLoss(loss);
    expect(text.replace(/host-[13]/g, 'host-x')).toBe(
      [
        'host-2 is fenced 8 s after its last renewal.',
        '',
        'CONTAINER   PRIORITY   GOES TO   HOW',
        'default/b   5          host-x    anew from the image: what is on its root is lost',
        'default/a   0          host-x    anew from the image: what is on its root is lost',
        'default/c   0          -         no room: 0/2 nodes fit: 2 Insufficient memory',
        'default/d   0          -         waits: its root is on storage pool default, which only its host has',
        'default/e   0          -         waits: node and leader have not agreed on its failover policy yet',
        '',
        '2 would be placed elsewhere, 1 fit nowhere, 2 would wait for host-2.',
        '',
      ].join('\n'),
    );
    expect(store.writes()).toEqual([]);
  });

  it('says that two nodes are too few', async () => {
    const loss = await readNodeLoss(cluster('host-1', 'host-2'), 'host-2', signal);
    expect(formatNodeLoss(loss)).toBe(
      'host-2 is not fenced by time: with 2 nodes that count no majority is left without it. Nothing moves before somebody confirms that it is off.\nNo container is placed on host-2.\n',
    );
  });

  it('names the nodes that there are when there is no such one', async () => {
    await expect(readNodeLoss(cluster('host-1', 'host-2'), 'host-9', signal)).rejects.toMatchObject({
      code: 'NotFound',
      message: 'There is no node host-9: there are host-1, host-2',
    });
  });
});
