import { findCondition } from '../../src/crds/conditions.ts';
import { type Container, containerKind } from '../../src/crds/container.ts';
import { FENCED_BY_ANNOTATION } from '../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../src/crds/node.ts';
import type { KubeObject } from '../../src/crds/object.ts';
import { container, node, storagePool } from './cluster-objects.ts';
import { type ControllerTrial, startControllers } from './controller-trial.ts';
import { type LeaseAgents, startLeaseAgents } from './lease-agents.ts';

/** All controllers over the API in memory, with agents that keep their leases, on a clock that stands still. */
export interface FailoverTrial extends ControllerTrial {
  readonly agents: LeaseAgents;
  run(seconds: number): Promise<void>;
  container(name: string): Container;
  node(name: string): Node;
  lease(name: string): Lease;
  annotate(node: string, fencedBy: string): Promise<Node>;
}

const { signal } = new AbortController();

/** A cluster of nodes that hold their leases, some time after its start. */
export async function startFailover(
  names: readonly string[],
  ...objects: KubeObject[]
): Promise<FailoverTrial> {
  const trial = await startControllers(
    ...names.map((name) => node(name)),
    ...names.map(vacant),
    storagePool(),
    ...objects,
  );
  const { store, clock } = trial;
  const agents = startLeaseAgents(trial, names);
  const find = <T extends KubeObject>(all: readonly T[], name: string): T =>
    all.find(({ metadata }) => metadata.name === name) as T;
  const stop = trial.stop.bind(trial);
  const failover = Object.assign(trial, {
    agents,
    run: (seconds: number) => clock.advance(seconds * 1_000),
    container: (name: string) => find(store.all<Container>(containerKind), name),
    node: (name: string) => find(store.all<Node>(nodeKind), name),
    lease: (name: string) => find(store.all<Lease>(leaseRef), name),
    annotate: (name: string, fencedBy: string) =>
      store.mergePatch<Node>(
        nodeKind,
        { name },
        { body: { metadata: { annotations: { [FENCED_BY_ANNOTATION]: fencedBy } } } },
        signal,
      ),
    async stop() {
      agents.stop();
      await stop();
    },
  });
  await failover.run(20);
  return failover;
}

/** A lease that its node has asked for. */
const vacant = (name: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'hostler-nodes', annotations: { 'hostler.dev/rejoin': 'yes' } },
  spec: { holderIdentity: '' },
});

type More = NonNullable<Parameters<typeof container>[1]>;

/** A container that may be made anew elsewhere, and is placed on `node` with its agent's consent. */
export function placedOn(nodeName: string, name: string, more: More = {}): Container {
  const spec = { failover: { policy: 'Recreate' as const }, ...more.spec };
  return {
    ...container(name, { spec, metadata: { finalizers: ['hostler.dev/host'], ...more.metadata } }),
    status: { nodeName, epoch: 1, failover: 'Recreate', phase: 'Running' },
  };
}

export function conditionOf(object: Container | Node, type: string) {
  return findCondition(object.status?.conditions, type);
}
