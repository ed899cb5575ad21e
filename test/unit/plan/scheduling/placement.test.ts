import { describe, expect, it } from '@jest/globals';
import type { Container } from '../../../../src/crds/container.ts';
import type { Node } from '../../../../src/crds/node.ts';
import type { StoragePool } from '../../../../src/crds/storage-pool.ts';
import { createSchedulingFacts } from '../../../../src/plan/scheduling/facts.ts';
import { planPlacement } from '../../../../src/plan/scheduling/placement.ts';
import { container, node, poolOn, storagePool } from '../../../support/cluster-objects.ts';

interface Row {
  nodes: Node[];
  placed?: Container[];
  pools?: StoragePool[];
  asks: Container;
}

const decide = ({ nodes, placed = [], pools = [storagePool()], asks }: Row) =>
  planPlacement(asks, createSchedulingFacts({ nodes, pools, containers: placed }));

const big = (name: string, nodeName?: string) =>
  container(name, {
    spec: { resources: { cpu: '1', memory: '6Gi' } },
    ...(nodeName === undefined ? {} : { nodeName }),
  });
const zone = (name: string, value: string) => node(name, { metadata: { labels: { zone: value } } });
const labelled = (name: string, nodeName?: string) =>
  container(name, { metadata: { labels: { app: 'web' } }, ...(nodeName === undefined ? {} : { nodeName }) });
const apart = (mode?: 'Required' | 'Preferred', topologyKey = 'hostler.dev/host') => ({
  antiAffinity: [{ topologyKey, matchLabels: { app: 'web' }, ...(mode === undefined ? {} : { mode }) }],
});

describe('planPlacement: nodes that cannot take the container', () => {
  const rows: [string, Row, string][] = [
    ['no node', { nodes: [], asks: container('web') }, '0/0 nodes fit: no node has registered'],
    [
      'too little memory, and a node that is not ready',
      {
        nodes: [node('a'), node('b'), node('c', { ready: false })],
        placed: [big('x', 'a'), big('y', 'b')],
        asks: big('web'),
      },
      '0/3 nodes fit: 2 Insufficient memory, 1 not ready',
    ],
    [
      'too little cpu, asked in thousandths',
      { nodes: [node('a')], asks: container('web', { spec: { resources: { cpu: '4001m' } } }) },
      '0/1 nodes fit: 1 Insufficient cpu',
    ],
    [
      'disk is held against the pool’s size, less what others asked of the same pool',
      {
        nodes: [node('a', { status: { pools: [poolOn('default', { total: '10Gi' })] } })],
        placed: [container('x', { nodeName: 'a', spec: { resources: { disk: '8Gi' } } })],
        asks: container('web', { spec: { resources: { disk: '3Gi' } } }),
      },
      '0/1 nodes fit: 1 Insufficient disk in storage pool default',
    ],
    [
      'the pools of all volumes are asked for, after that of the root',
      {
        nodes: [
          node('a'),
          node('b', { status: { pools: [poolOn(), poolOn('data', { ready: false })] } }),
          node('c', { status: { pools: [poolOn('data')] } }),
        ],
        pools: [storagePool(), storagePool('data')],
        asks: container('web', { spec: { volumes: [{ name: 'v', pool: 'data', path: '/srv' }] } }),
      },
      '0/3 nodes fit: 1 storage pool data not ready, 1 without storage pool data, 1 without storage pool default',
    ],
    [
      'volumes are folders, which only a dir pool can hold',
      {
        nodes: [node('a', { status: { pools: [poolOn(), poolOn('data')] } })],
        pools: [storagePool(), storagePool('data', { spec: { driver: 'btrfs' } })],
        asks: container('web', { spec: { volumes: [{ name: 'v', pool: 'data', path: '/srv' }] } }),
      },
      '0/1 nodes fit: 1 storage pool data of driver btrfs, on which volumes cannot be',
    ],
    [
      'a node that has reported nothing has no room',
      {
        nodes: [
          {
            ...node('a'),
            status: {
              conditions: [
                {
                  type: 'Ready',
                  status: 'True',
                  reason: 'R',
                  message: '',
                  lastTransitionTime: '2026-01-01T00:00:00Z',
                },
              ],
              pools: [poolOn()],
            },
          },
        ],
        asks: big('web'),
      },
      '0/1 nodes fit: 1 Insufficient cpu',
    ],
    [
      'cordoned and deleted nodes',
      {
        nodes: [
          node('a', { spec: { unschedulable: true } }),
          node('b', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
        ],
        asks: container('web'),
      },
      '0/2 nodes fit: 1 being deleted, 1 unschedulable',
    ],
    [
      'a taint that is not tolerated',
      {
        nodes: [node('a', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } })],
        asks: container('web', {
          spec: { placement: { tolerations: [{ key: 'gpu', value: 'no', operator: 'Equal' }] } },
        }),
      },
      '0/1 nodes fit: 1 had untolerated taint {gpu: yes}',
    ],
    [
      'a node selector',
      {
        nodes: [zone('a', 'x')],
        asks: container('web', { spec: { placement: { nodeSelector: { zone: 'y' } } } }),
      },
      '0/1 nodes fit: 1 did not match the node selector',
    ],
    [
      'a pinned node that has no room',
      {
        nodes: [node('a'), node('b')],
        placed: [big('x', 'a')],
        asks: container('web', { spec: { placement: { nodeName: 'a' }, resources: { memory: '6Gi' } } }),
      },
      '0/2 nodes fit: 1 Insufficient memory, 1 not the pinned node a',
    ],
    [
      'a pinned node that does not exist',
      {
        nodes: [node('a')],
        asks: container('web', { spec: { placement: { nodeName: 'z' } } }),
      },
      '0/1 nodes fit: 1 not the pinned node z (there is no such node)',
    ],
    [
      'no such pool',
      { nodes: [node('a')], asks: container('web', { spec: { rootPool: 'fast' } }) },
      '0/1 nodes fit: 1 storage pool fast not found',
    ],
    [
      'a pool that is not on every node, and not ready on another',
      {
        nodes: [
          node('a', { status: { pools: [] } }),
          node('b', { status: { pools: [poolOn('default', { ready: false })] } }),
          node('c', { status: { pools: [poolOn('default', { poolUid: 'of an earlier StoragePool' })] } }),
        ],
        asks: container('web'),
      },
      '0/3 nodes fit: 2 storage pool default not ready, 1 without storage pool default',
    ],
    [
      'a pool that is being deleted',
      {
        nodes: [node('a')],
        pools: [storagePool('default', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
        asks: container('web'),
      },
      '0/1 nodes fit: 1 storage pool default being deleted',
    ],
    [
      'required anti-affinity of its own',
      {
        nodes: [node('a')],
        placed: [labelled('x', 'a')],
        asks: container('web', { spec: { placement: apart() } }),
      },
      '0/1 nodes fit: 1 did not match anti-affinity',
    ],
    [
      'required anti-affinity of a container that is there, over a whole zone',
      {
        nodes: [zone('a', 'x'), zone('b', 'x')],
        placed: [container('x', { nodeName: 'a', spec: { placement: apart('Required', 'zone') } })],
        asks: labelled('web'),
      },
      '0/2 nodes fit: 2 did not match anti-affinity',
    ],
    [
      'required spread: the emptiest domain is full',
      {
        nodes: [zone('a', 'x'), zone('b', 'y'), node('c')],
        placed: [labelled('1', 'a'), big('2', 'b')],
        asks: container('web', {
          metadata: { labels: { app: 'web' } },
          spec: { resources: { memory: '6Gi' }, placement: { spread: [{ topologyKey: 'zone' }] } },
        }),
      },
      '0/3 nodes fit: 1 Insufficient memory, 1 did not match the spread, 1 had no label zone to spread over',
    ],
  ];

  it.each(rows)('%s', (_name, row, message) => {
    const decision = decide(row);
    expect(decision).toMatchObject({ fits: false, message });
    const refusals = decision.fits ? [] : decision.refusals;
    expect(refusals.reduce((sum, refusal) => sum + refusal.nodes, 0)).toBe(row.nodes.length);
  });

  it('spells out ten reasons at most', () => {
    const nodes = Array.from({ length: 15 }, (_, index) =>
      node(`n${index}`, { spec: { taints: [{ key: `k${index}`, effect: 'NoSchedule' }] } }),
    );
    const decision = decide({ nodes, asks: container('web') });
    expect(decision).toMatchObject({ fits: false, message: expect.stringMatching(/, and 5 more reasons$/) });
  });
});

describe('planPlacement: the node that is taken', () => {
  const rows: [string, Row, string][] = [
    [
      'the pinned one',
      { nodes: [node('a'), node('b')], asks: container('web', { spec: { placement: { nodeName: 'b' } } }) },
      'b',
    ],
    [
      'a tainted one whose taint is tolerated',
      {
        nodes: [node('a', { spec: { taints: [{ key: 'gpu', value: '', effect: 'NoSchedule' }] } })],
        asks: container('web', {
          spec: { placement: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } },
        }),
      },
      'a',
    ],
    [
      'one that was lost again and again, when that is tolerated',
      {
        nodes: [
          node('a', {
            status: { taints: [{ key: 'hostler.dev/flapping', value: '', effect: 'NoSchedule' }] },
          }),
        ],
        asks: container('web', {
          spec: { placement: { tolerations: [{ key: 'hostler.dev/flapping', operator: 'Exists' }] } },
        }),
      },
      'a',
    ],
    [
      'a cordoned one, when everything is tolerated',
      {
        nodes: [node('a', { spec: { unschedulable: true } })],
        asks: container('web', { spec: { placement: { tolerations: [{ operator: 'Exists' }] } } }),
      },
      'a',
    ],
    [
      'the one with the most room',
      { nodes: [node('a'), node('b')], placed: [big('x', 'a')], asks: container('web') },
      'b',
    ],
    [
      'the one with the fewest equals, rather than the one that has the image',
      {
        nodes: [
          node('a', { status: { images: [{ reference: 'images:debian/12', fingerprint: 'f' }] } }),
          node('b'),
        ],
        placed: [container('x', { nodeName: 'a' })],
        asks: container('web'),
      },
      'b',
    ],
    [
      'the one that has the image, of two that are as empty',
      {
        nodes: [
          node('a'),
          node('b', { status: { images: [{ reference: 'images:debian/12', fingerprint: 'f' }] } }),
        ],
        asks: container('web'),
      },
      'b',
    ],
    [
      'one without a PreferNoSchedule taint',
      {
        nodes: [node('a', { spec: { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] } }), node('b')],
        placed: [big('x', 'b')],
        asks: container('web'),
      },
      'b',
    ],
    [
      'one away from those that it would rather not meet',
      {
        nodes: [node('a'), node('b')],
        placed: [labelled('x', 'a'), big('y', 'b')],
        asks: container('web', { spec: { placement: apart('Preferred') } }),
      },
      'b',
    ],
    [
      'the emptiest domain of a preferred spread',
      {
        nodes: [zone('a', 'x'), zone('b', 'x'), zone('c', 'y')],
        placed: [labelled('1', 'a'), big('2', 'c')],
        asks: container('web', {
          metadata: { labels: { app: 'web', tier: 'front' } },
          spec: {
            placement: { spread: [{ topologyKey: 'zone', mode: 'Preferred', matchLabels: { app: 'web' } }] },
          },
        }),
      },
      'c',
    ],
    [
      'a domain of a required spread, though that of a node which is down is emptier',
      {
        nodes: [
          zone('a', 'x'),
          zone('b', 'y'),
          { ...node('c', { ready: false, metadata: { labels: { zone: 'z' } } }) },
        ],
        placed: [labelled('1', 'a'), labelled('2', 'b'), labelled('3', 'b')],
        asks: container('web', {
          metadata: { labels: { app: 'web' } },
          spec: { placement: { spread: [{ topologyKey: 'zone' }] } },
        }),
      },
      'a',
    ],
    [
      'anti-affinity looks at the same namespace alone',
      {
        nodes: [node('a')],
        placed: [
          container('x', {
            nodeName: 'a',
            metadata: { namespace: 'other', labels: { app: 'web' } },
            spec: { placement: apart() },
          }),
        ],
        asks: container('web', { metadata: { labels: { app: 'web' } }, spec: { placement: apart() } }),
      },
      'a',
    ],
    [
      'who asks for nothing fits where more is taken than there is',
      {
        nodes: [node('a', { status: { allocatable: { cpu: '1', memory: '1Gi' } } })],
        placed: [big('x', 'a')],
        asks: container('web'),
      },
      'a',
    ],
  ];

  it.each(rows)('%s', (_name, row, taken) => {
    expect(decide(row)).toMatchObject({ fits: true, node: taken });
  });
});
