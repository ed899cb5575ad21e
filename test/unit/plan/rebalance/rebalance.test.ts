import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Container } from '../../../../src/crds/container.ts';
import type { Node } from '../../../../src/crds/node.ts';
import { keyOf } from '../../../../src/crds/object.ts';
import { bytesOf, milliCpu } from '../../../../src/crds/quantity.ts';
import { createLoads } from '../../../../src/plan/rebalance/load.ts';
import {
  planRebalance,
  type RebalanceFacts,
  rebalanceRulesOf,
} from '../../../../src/plan/rebalance/rebalance.ts';
import { node } from '../../../support/cluster-objects.ts';
import { budget, relocationFacts, running, type Surroundings } from '../../../support/relocation.ts';

const rules = { threshold: 0.2, maxMoves: 10, windowMs: 600_000, cooldownMs: 3_600_000 };

function rebalance(around: Surroundings, more: Partial<RebalanceFacts> = {}) {
  const moves = planRebalance({
    ...relocationFacts(around),
    rules,
    containers: around.containers,
    recentMoves: 0,
    historyOf: () => [],
    ...more,
  });
  return moves.map(({ container, target }) => `${container.metadata.name} to ${target}`);
}

const small = (name: string, on: string, more: Parameters<typeof running>[2] = {}) =>
  running(name, on, { ...more, spec: { resources: { memory: '1Gi' }, ...more.spec } });
/** Five of the eight Gi of host a, and none of host b. */
const crowded = ['v', 'w', 'x', 'y', 'z'].map((name) => small(name, 'a'));
const hosts = [node('a'), node('b')];

describe('rebalanceRulesOf', () => {
  it('has the defaults of the reference, and takes what is set', () => {
    expect(rebalanceRulesOf({})).toEqual({ ...rules, maxMoves: 2 });
    expect(rebalanceRulesOf({ threshold: 5, maxMoves: 1, window: '1m', cooldown: '30s' })).toEqual({
      threshold: 0.05,
      maxMoves: 1,
      windowMs: 60_000,
      cooldownMs: 30_000,
    });
  });
});

describe('planRebalance', () => {
  it('moves from a crowded host until no difference is above the threshold', () => {
    expect(rebalance({ nodes: hosts, containers: crowded })).toEqual(['v to b', 'w to b']);
  });

  it.each<[string, Surroundings, Partial<RebalanceFacts>]>([
    ['hosts that are full alike', { nodes: hosts, containers: [small('x', 'a'), small('y', 'b')] }, {}],
    [
      'one container that would only crowd the other host',
      { nodes: hosts, containers: [small('x', 'a', { spec: { resources: { memory: '6Gi' } } })] },
      {},
    ],
    [
      'a host that is cordoned',
      { nodes: [node('a'), node('b', { spec: { unschedulable: true } })], containers: crowded },
      {},
    ],
    [
      'a host in maintenance',
      { nodes: [node('a'), node('b', { spec: { maintenance: 'Drain' } })], containers: crowded },
      {},
    ],
    [
      'a host that is not ready',
      { nodes: [node('a'), node('b', { ready: false })], containers: crowded },
      {},
    ],
    [
      'containers that may not move',
      {
        nodes: hosts,
        containers: crowded.map((one) => ({
          ...one,
          spec: { ...one.spec, migration: { policy: 'Never' as const } },
        })),
      },
      {},
    ],
    [
      'containers that are not ready',
      {
        nodes: hosts,
        containers: crowded.map((one) => ({ ...one, status: { ...one.status, conditions: [] } })),
      },
      {},
    ],
    [
      'what was moved lately',
      { nodes: hosts, containers: crowded },
      { historyOf: () => [{ source: 'c', sinceMs: 3_599_999, isRelief: false }] },
    ],
    ['more than a window allows', { nodes: hosts, containers: crowded }, { recentMoves: 10 }],
    ['what a budget needs', { nodes: hosts, containers: crowded, budgets: [budget('all', {}, 0)] }, {}],
    [
      'what moves already, and counts it where it goes',
      {
        nodes: hosts,
        containers: crowded,
        moving: { v: { source: 'a', target: 'b' }, w: { source: 'a', target: 'b' } },
      },
      {},
    ],
  ])('leaves alone %s', (_name, around, more) => {
    expect(rebalance(around, more)).toEqual([]);
  });

  it.each<[string, number, boolean, string[]]>([
    ['not where it was taken from for relief', 23, true, []],
    ['but later on', 24, true, ['v to b', 'w to b']],
    ['or where a drain took it from', 23, false, ['v to b', 'w to b']],
  ])('takes a container back: %s', (_name, cooldowns, isRelief, moves) => {
    const history = [{ source: 'b', sinceMs: cooldowns * rules.cooldownMs, isRelief }];
    expect(rebalance({ nodes: hosts, containers: crowded }, { historyOf: () => history })).toEqual(moves);
  });

  it('begins so many within one window', () => {
    const many = Array.from({ length: 8 }, (_, index) => small(`c${index}`, 'a'));
    const most = { rules: { ...rules, maxMoves: 3 }, recentMoves: 1 };
    expect(rebalance({ nodes: hosts, containers: many }, most)).toHaveLength(2);
  });

  it('breaks no wish of people for more room', () => {
    const labels = { app: 'web' };
    const placement = {
      antiAffinity: [
        { topologyKey: 'hostler.dev/host', matchLabels: { app: 'noisy' }, mode: 'Preferred' as const },
      ],
    };
    const containers = [
      ...['v', 'w', 'x', 'y', 'z'].map((name) => small(name, 'a', { labels, spec: { placement } })),
      small('noisy', 'b', { labels: { app: 'noisy' }, spec: { resources: { memory: '128Mi' } } }),
    ];
    expect(rebalance({ nodes: hosts, containers })).toEqual([]);
  });

  it('keeps a required spread, which a single target must not hide', () => {
    const labels = { app: 'web' };
    const placement = { spread: [{ topologyKey: 'zone', maxSkew: 1 }] };
    const nodes = [
      node('a', { metadata: { labels: { zone: 'one' } } }),
      node('b', { metadata: { labels: { zone: 'two' } } }),
    ];
    const containers = [
      ...['v', 'w'].map((name) => small(name, 'a', { labels, spec: { placement } })),
      ...['x', 'y'].map((name) =>
        small(name, 'b', { labels, spec: { placement, resources: { memory: '1Mi' } } }),
      ),
      small('big', 'a', { spec: { migration: { policy: 'Never' }, resources: { memory: '4Gi' } } }),
    ];
    // One more there would make it three to one.
    expect(rebalance({ nodes, containers })).toEqual([]);
  });
});

const clusters = fc.record({
  sizes: fc.array(fc.integer({ min: 2, max: 16 }), { minLength: 2, maxLength: 5 }),
  containers: fc.array(
    fc.record({
      memoryMi: fc.integer({ min: 1, max: 6_000 }),
      milli: fc.integer({ min: 0, max: 3_000 }),
      on: fc.nat(),
      app: fc.constantFrom('a', 'b', 'c', 'd'),
    }),
    { maxLength: 30 },
  ),
  threshold: fc.constantFrom(0.05, 0.1, 0.2, 0.5),
});
type Shape = typeof clusters extends fc.Arbitrary<infer T> ? T : never;

function objectsOf({ sizes, containers }: Shape): { nodes: Node[]; containers: Container[] } {
  const nodes = sizes.map((gi, index) =>
    node(`n${index}`, { status: { allocatable: { cpu: String(gi), memory: `${gi}Gi` } } }),
  );
  const placed = containers.map(({ memoryMi, milli, on, app }, index) =>
    running(`c${index}`, `n${on % sizes.length}`, {
      labels: { app },
      spec: { resources: { memory: `${memoryMi}Mi`, ...(milli === 0 ? {} : { cpu: `${milli}m` }) } },
    }),
  );
  return { nodes, containers: placed };
}

/** Every move that is ever made while nobody changes anything else, one after the other, however short its cooldown. */
function untilBalanced(shape: Shape) {
  const { nodes, containers: start } = objectsOf(shape);
  const made: { name: string; from: string; to: string }[] = [];
  const loadsSeen: number[][] = [];
  const states: Container[][] = [];
  let containers = start;
  const loadsNow = (): number[] => {
    const facts = relocationFacts({ nodes, containers }).room.facts;
    const loads = createLoads(facts.nodes, containers, new Map());
    return nodes.map(({ metadata }) => loads.of(metadata.name)).sort((a, b) => b - a);
  };
  loadsSeen.push(loadsNow());
  for (let count = 0; count < 500; count += 1) {
    const [next] = planRebalance({
      ...relocationFacts({ nodes, containers }),
      rules: { ...rules, threshold: shape.threshold, maxMoves: 1 },
      containers,
      recentMoves: 0,
      historyOf: (one) =>
        made
          .filter(({ name }) => name === keyOf(one))
          .map(({ from }) => ({ source: from, sinceMs: rules.cooldownMs, isRelief: true })),
    });
    if (next === undefined) return { made, loadsSeen, states };
    const key = keyOf(next.container);
    made.push({ name: key, from: next.container.status?.nodeName ?? '', to: next.target });
    containers = containers.map((one) =>
      keyOf(one) === key ? { ...one, status: { ...one.status, nodeName: next.target } } : one,
    );
    states.push(containers);
    loadsSeen.push(loadsNow());
  }
  throw new Error('It never stops');
}

const compare = (one: readonly number[], other: readonly number[]): number => {
  const index = one.findIndex((load, at) => Math.abs(load - (other[at] ?? 0)) > 1e-12);
  return index < 0 ? 0 : (one[index] ?? 0) - (other[index] ?? 0);
};

describe('rebalancing, whatever the cluster, whatever its cooldown', () => {
  it('stops, and every move makes the fullest less full', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const { loadsSeen } = untilBalanced(shape);
        for (const [index, loads] of loadsSeen.slice(1).entries()) {
          expect(compare(loads, loadsSeen[index] as number[])).toBeLessThan(0);
        }
      }),
    );
  });

  it('never moves the same container back and forth', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const { made } = untilBalanced(shape);
        for (const [name, moves] of Map.groupBy(made, (move) => move.name)) {
          const places = [moves[0]?.from, ...moves.map(({ to }) => to)];
          expect({ name, places: new Set(places).size }).toEqual({ name, places: places.length });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never puts more on a node than it has', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const { made, states } = untilBalanced(shape);
        for (const [index, { to }] of made.entries()) {
          const there = (states[index] ?? []).filter(({ status }) => status?.nodeName === to);
          const has = shape.sizes[Number(to.slice(1))] ?? 0;
          const asked = (of: (one: Container) => number) => there.reduce((sum, one) => sum + of(one), 0);
          expect(asked(({ spec }) => milliCpu(spec.resources?.cpu))).toBeLessThanOrEqual(has * 1_000);
          expect(asked(({ spec }) => bytesOf(spec.resources?.memory))).toBeLessThanOrEqual(has * 2 ** 30);
        }
      }),
    );
  });
});
