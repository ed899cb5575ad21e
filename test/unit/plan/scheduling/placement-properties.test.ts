import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { Container } from '../../../../src/crds/container.ts';
import type { Node } from '../../../../src/crds/node.ts';
import { bytesOf, milliCpu } from '../../../../src/crds/quantity.ts';
import { createSchedulingFacts } from '../../../../src/plan/scheduling/facts.ts';
import { planPlacement } from '../../../../src/plan/scheduling/placement.ts';
import { container, node, poolOn, storagePool } from '../../../support/cluster-objects.ts';

const nodesOf = fc
  .array(
    fc.record({
      ready: fc.boolean(),
      cordoned: fc.boolean(),
      zone: fc.constantFrom('x', 'y', undefined),
      cpu: fc.integer({ min: 0, max: 4 }),
      memory: fc.integer({ min: 0, max: 8 }),
      disk: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
    }),
    { maxLength: 6 },
  )
  .map((shapes) =>
    shapes.map((shape, index) =>
      node(`n${index}`, {
        ready: shape.ready,
        spec: { unschedulable: shape.cordoned },
        metadata: { labels: shape.zone === undefined ? {} : { zone: shape.zone } },
        status: {
          allocatable: { cpu: shape.cpu, memory: `${shape.memory}Gi` },
          pools: [poolOn('default', shape.disk === undefined ? {} : { total: `${shape.disk}Gi` })],
        },
      }),
    ),
  );

const containersOf = (spread: boolean) =>
  fc
    .array(
      fc.record({
        app: fc.constantFrom('web', 'db'),
        cpu: fc.constantFrom('100m', '1', '2'),
        memory: fc.constantFrom('512Mi', '1Gi', '3Gi'),
        disk: fc.constantFrom('1Gi', '4Gi'),
        apart: fc.constantFrom(undefined, 'hostler.dev/host', 'zone'),
        spread: fc.constantFrom(undefined, spread ? 'zone' : undefined),
      }),
      { maxLength: 20 },
    )
    .map((shapes) =>
      shapes.map(({ app, cpu, memory, disk, apart, spread: over }, index) =>
        container(`c${index}`, {
          metadata: { labels: { app } },
          spec: {
            resources: { cpu, memory, disk },
            placement: {
              ...(apart === undefined
                ? {}
                : { antiAffinity: [{ topologyKey: apart, matchLabels: { app: 'db' } }] }),
              ...(over === undefined ? {} : { spread: [{ topologyKey: over }] }),
            },
          },
        }),
      ),
    );

function placeAll(nodes: Node[], containers: Container[]): Map<string, string> {
  const facts = createSchedulingFacts({ nodes, pools: [storagePool()] });
  const owners = new Map<string, string>();
  for (const asks of containers) {
    const decision = planPlacement(asks, facts);
    if (!decision.fits) continue;
    facts.assume(asks, decision.node);
    owners.set(asks.metadata.name, decision.node);
  }
  return owners;
}

describe('planPlacement, whatever the cluster', () => {
  it('is never over capacity, whatever of the placements the cache has shown', () => {
    fc.assert(
      fc.property(nodesOf, containersOf(true), fc.array(fc.boolean()), (nodes, containers, shown) => {
        const facts = createSchedulingFacts({ nodes, pools: [storagePool()] });
        const owned = new Map<string, Container[]>();
        for (const [index, asks] of containers.entries()) {
          const decision = planPlacement(asks, facts);
          if (!decision.fits) continue;
          facts.assume(asks, decision.node);
          owned.set(decision.node, [...(owned.get(decision.node) ?? []), asks]);
          // A late cache repeats what was before; a quick one shows the placement.
          facts.setContainer(shown[index] === true ? { ...asks, status: { nodeName: decision.node } } : asks);
        }
        for (const { metadata, status } of nodes) {
          const here = owned.get(metadata.name) ?? [];
          const sum = (of: (one: Container) => number) => here.reduce((total, one) => total + of(one), 0);
          const total = status?.pools?.[0]?.total;
          expect(sum((one) => milliCpu(one.spec.resources?.cpu))).toBeLessThanOrEqual(
            milliCpu(status?.allocatable?.cpu),
          );
          expect(sum((one) => bytesOf(one.spec.resources?.memory))).toBeLessThanOrEqual(
            bytesOf(status?.allocatable?.memory),
          );
          expect(sum((one) => bytesOf(one.spec.resources?.disk))).toBeLessThanOrEqual(
            total === undefined ? Number.POSITIVE_INFINITY : bytesOf(total),
          );
        }
      }),
    );
  });

  it('never breaks a required anti-affinity, in either direction', () => {
    fc.assert(
      fc.property(nodesOf, containersOf(false), (nodes, containers) => {
        const owners = placeAll(nodes, containers);
        const labelsOf = (one: Container) =>
          nodes.find(({ metadata }) => metadata.name === owners.get(one.metadata.name))?.metadata.labels ??
          {};
        const placed = containers.filter((one) => owners.has(one.metadata.name));
        for (const one of placed) {
          for (const { topologyKey } of one.spec.placement?.antiAffinity ?? []) {
            for (const other of placed) {
              if (other === one || other.metadata.labels?.['app'] !== 'db') continue;
              const host = topologyKey === 'hostler.dev/host';
              const [here, there] = host
                ? [owners.get(one.metadata.name), owners.get(other.metadata.name)]
                : [labelsOf(one)[topologyKey], labelsOf(other)[topologyKey]];
              expect(here === undefined || here !== there).toBe(true);
            }
          }
        }
      }),
    );
  });

  it('is deterministic, in whatever order the facts came and however they were built up', () => {
    fc.assert(
      fc.property(nodesOf, containersOf(true), (nodes, containers) => {
        const owners = placeAll(nodes, containers);
        expect(placeAll(nodes.toReversed(), containers)).toEqual(owners);

        const placed = containers.map((one) => {
          const nodeName = owners.get(one.metadata.name);
          return nodeName === undefined ? one : { ...one, status: { nodeName } };
        });
        const asks = container('late', { metadata: { labels: { app: 'web' } } });
        const built = createSchedulingFacts({ pools: [storagePool()] });
        for (const one of placed.toReversed()) built.setContainer(one);
        built.setContainer(container('gone', { nodeName: 'n0' }));
        for (const one of nodes) built.setNode(one);
        planPlacement(asks, built);
        built.removeContainer('default/gone');
        const fresh = createSchedulingFacts({ nodes, pools: [storagePool()], containers: placed });
        expect(planPlacement(asks, built)).toEqual(planPlacement(asks, fresh));
      }),
    );
  });

  it('counts each node under one reason', () => {
    fc.assert(
      fc.property(nodesOf, containersOf(true), (nodes, containers) => {
        const facts = createSchedulingFacts({ nodes, pools: [storagePool()] });
        for (const asks of containers) {
          const decision = planPlacement(asks, facts);
          const refusals = decision.fits ? [] : decision.refusals;
          const refused = refusals.reduce((sum, { nodes: count }) => sum + count, 0);
          expect(refused).toBe(decision.fits ? 0 : nodes.length);
          if (decision.fits) facts.assume(asks, decision.node);
        }
      }),
    );
  });

  it('takes a container that fitted also when a node is added, but for a required spread', () => {
    fc.assert(
      fc.property(nodesOf, nodesOf, containersOf(false), (nodes, added, containers) => {
        const [asks, ...others] = containers;
        if (asks === undefined) return;
        const owners = placeAll(nodes, others);
        const placed = others.flatMap((one) => {
          const nodeName = owners.get(one.metadata.name);
          return nodeName === undefined ? [] : [{ ...one, status: { nodeName } }];
        });
        const facts = createSchedulingFacts({ nodes, containers: placed, pools: [storagePool()] });
        const before = planPlacement(asks, facts);
        for (const one of added) {
          facts.setNode({ ...one, metadata: { ...one.metadata, name: `added-${one.metadata.name}` } });
        }
        const after = planPlacement(asks, facts);
        expect(before.fits && !after.fits).toBe(false);
      }),
    );
  });
});
