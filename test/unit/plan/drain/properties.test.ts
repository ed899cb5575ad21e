import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Container } from '../../../../src/crds/container.ts';
import { planDrain } from '../../../../src/plan/drain/drain.ts';
import { countBudget } from '../../../../src/plan/relocation/budgets.ts';
import type { ActiveMove } from '../../../../src/plan/relocation/moves.ts';
import { node } from '../../../support/cluster-objects.ts';
import { budget, relocationFacts, running } from '../../../support/relocation.ts';

const HOST = 'hostler.dev/host';
const clusters = fc.record({
  others: fc.integer({ min: 1, max: 4 }),
  containers: fc.array(
    fc.record({
      app: fc.constantFrom('web', 'db'),
      memory: fc.constantFrom('1Gi', '3Gi'),
      isApart: fc.boolean(),
      isNever: fc.boolean(),
      on: fc.integer({ min: 0, max: 4 }),
    }),
    { maxLength: 14 },
  ),
  maxUnavailable: fc.constantFrom<number | string>(0, 1, 2, '50%', '100%'),
  outgoingPerNode: fc.integer({ min: 1, max: 3 }),
  incomingPerNode: fc.integer({ min: 1, max: 3 }),
  /** Which of the moves ends next, and whether it fails. */
  ends: fc.array(fc.record({ which: fc.nat(), fails: fc.boolean() }), { minLength: 40, maxLength: 40 }),
});

type Shape = typeof clusters extends fc.Arbitrary<infer T> ? T : never;

function containersOf({ containers, others }: Shape): Container[] {
  return containers.map(({ app, memory, isApart, isNever, on }, index) =>
    running(`c${index}`, `n${on % (others + 1)}`, {
      labels: { app },
      spec: {
        resources: { memory },
        ...(isNever ? { migration: { policy: 'Never' as const } } : {}),
        ...(isApart
          ? { placement: { antiAffinity: [{ topologyKey: HOST, matchLabels: { app: `${app}-x` } }] } }
          : {}),
      },
    }),
  );
}

/** The whole of a drain of n0: rounds of decisions, between which migrations end in any order, well or not. */
function drainAll(shape: Shape, check: (containers: Container[], moves: Map<string, ActiveMove>) => void) {
  const nodes = [
    node('n0', { spec: { maintenance: 'Drain' } }),
    ...Array.from({ length: shape.others }, (_, index) => node(`n${index + 1}`)),
  ];
  const budgets = [budget('web', { app: 'web' }, shape.maxUnavailable)];
  let containers = containersOf(shape);
  const moves = new Map<string, ActiveMove>();
  const failed = new Set<string>();
  let plan = round();
  function round() {
    const facts = relocationFacts({
      nodes,
      containers,
      budgets,
      limits: { outgoingPerNode: shape.outgoingPerNode, incomingPerNode: shape.incomingPerNode },
      moving: Object.fromEntries(moves),
      failures: Object.fromEntries(
        [...failed].map((name) => [name, { attempts: 1, message: 'no', retryAfterMs: 1 }]),
      ),
    });
    const next = planDrain({
      ...facts,
      node: 'n0',
      isReachable: true,
      options: {},
      here: containers.filter(({ status }) => status?.nodeName === 'n0'),
      away: containers.filter(({ status }) => status?.drainedFrom === 'n0' && status.nodeName !== 'n0'),
    });
    for (const { container, target } of next.moves) {
      moves.set(container.metadata.name, { source: 'n0', target });
    }
    return next;
  }
  check(containers, moves);
  for (const { which, fails } of shape.ends) {
    const names = [...moves.keys()];
    const name = names[which % Math.max(1, names.length)];
    if (name === undefined) break;
    const target = moves.get(name)?.target ?? '';
    moves.delete(name);
    if (fails) failed.add(name);
    else {
      containers = containers.map((one) =>
        one.metadata.name === name
          ? { ...one, status: { ...one.status, nodeName: target, drainedFrom: 'n0' } }
          : one,
      );
    }
    plan = round();
    check(containers, moves);
  }
  return { plan, containers, moves };
}

describe('a whole drain, whatever the cluster', () => {
  it('never breaks a budget, a limit or the room of a node', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const web = budget('web', { app: 'web' }, shape.maxUnavailable);
        drainAll(shape, (containers, moves) => {
          const byKey = new Map([...moves].map(([name, move]) => [`default/${name}`, move]));
          const before = countBudget(web, containers, new Map());
          const now = countBudget(web, containers, byKey);
          expect(before.available - now.available).toBeLessThanOrEqual(before.allowed);
          const targets = Map.groupBy(moves.values(), ({ target }) => target);
          expect(moves.size).toBeLessThanOrEqual(shape.outgoingPerNode);
          for (const [target, coming] of targets) {
            expect(coming.length).toBeLessThanOrEqual(shape.incomingPerNode);
            expect(target).not.toBe('n0');
          }
        });
      }),
    );
  });

  it('ends with every container either elsewhere or listed with the reason', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const { plan, containers, moves } = drainAll(shape, () => undefined);
        fc.pre(moves.size === 0);
        const left = containers.filter(({ status }) => status?.nodeName === 'n0');
        expect(plan.counts.blocked.map(({ container }) => container).toSorted()).toEqual(
          left.map(({ metadata }) => `default/${metadata.name}`).toSorted(),
        );
        expect(plan.counts.blocked.every(({ reason, message }) => reason !== '' && message !== '')).toBe(
          true,
        );
        const never = left.filter(({ spec }) => spec.migration?.policy === 'Never');
        expect(never).toHaveLength(
          containersOf(shape).filter(
            ({ spec, status }) => status?.nodeName === 'n0' && spec.migration?.policy === 'Never',
          ).length,
        );
      }),
    );
  });

  it('leaves no node with more than it has, what is on its way included', () => {
    fc.assert(
      fc.property(clusters, (shape) => {
        const total = new Map<string, number>();
        const start = containersOf(shape);
        const sizeOf = (name: string): number =>
          Number.parseInt(
            String(start.find(({ metadata }) => metadata.name === name)?.spec.resources?.memory),
            10,
          );
        for (const { metadata, status } of start) {
          const key = status?.nodeName ?? '';
          total.set(key, (total.get(key) ?? 0) + sizeOf(metadata.name));
        }
        drainAll(shape, (containers, moves) => {
          for (let index = 1; index <= shape.others; index += 1) {
            const name = `n${index}`;
            const here = containers.filter(({ status }) => status?.nodeName === name);
            const coming = [...moves].filter(([, { target }]) => target === name);
            const sum =
              here.reduce((all, { metadata }) => all + sizeOf(metadata.name), 0) +
              coming.reduce((all, [one]) => all + sizeOf(one), 0);
            // What was overfull at the start is not made fuller.
            expect(sum).toBeLessThanOrEqual(Math.max(8, total.get(name) ?? 0));
          }
        });
      }),
    );
  });
});
