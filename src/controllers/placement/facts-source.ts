import type { Container } from '../../crds/container.ts';
import { findCondition } from '../../crds/conditions.ts';
import { FLAPPING_TAINT } from '../../crds/kind.ts';
import type { Node } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import type { SchedulingFacts } from '../../plan/scheduling/facts.ts';
import type { Change } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import type { Source } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';

/**
 * Keeps the facts in step with the caches, and enqueues each container after a change of its own, and all that wait for a
 * node after a change that may make room. The facts have a change before the key is enqueued for it.
 * @param waiting keys of the containers that no node could take, at the time of the call
 */
export function factsSource(
  { informers: { nodes, pools, containers }, leases }: Pick<ControllerDeps, 'informers' | 'leases'>,
  facts: SchedulingFacts,
  waiting: () => Iterable<string>,
): Source {
  return {
    subscribe(enqueue) {
      const get = (key: string): Container | undefined => containers.cache.get(key);
      const retry = (isMeant: (container: Container) => boolean = () => true): void => {
        const meant = [...waiting()].filter((key) => {
          const container = get(key);
          return container !== undefined && isMeant(container);
        });
        for (const key of inOrderOfCreation(meant, get)) enqueue(key);
      };
      const unsubscribes = [
        nodes.onChange((change) => {
          if (change.new) facts.setNode(change.new);
          else facts.removeNode(change.key);
          if (mayMakeRoom(change)) retry();
        }),
        pools.onChange((change) => {
          if (change.new) facts.setPool(change.new);
          else facts.removePool(change.key);
          retry();
        }),
        leases.turns.subscribe((name) => {
          if (leases.isFresh(name)) retry();
        }),
      ];
      let isReplay = true;
      const replayed: string[] = [];
      unsubscribes.push(
        containers.onChange((change) => {
          if (change.new) facts.setContainer(change.new);
          else facts.removeContainer(change.key);
          if (isReplay) replayed.push(change.key);
          else enqueue(change.key);
          if (frees(change)) retry();
          else if (fills(change)) retry(hasRequiredSpread);
        }),
      );
      isReplay = false;
      for (const key of inOrderOfCreation(replayed, get)) enqueue(key);
      return () => {
        for (const unsubscribe of unsubscribes) unsubscribe();
      };
    },
  };
}

/** Who was there first is decided about first. */
function inOrderOfCreation(keys: Iterable<string>, get: (key: string) => Container | undefined): string[] {
  return [...keys]
    .map((key) => ({ key, created: get(key)?.metadata.creationTimestamp ?? '' }))
    .sort((a, b) => (a.created === b.created ? (a.key < b.key ? -1 : 1) : a.created < b.created ? -1 : 1))
    .map(({ key }) => key);
}

/** Not every report of an agent: only what placements look at. */
function mayMakeRoom({ old, new: now }: Change<Node>): boolean {
  return old === undefined || now === undefined || !isSameJson(essence(old), essence(now));
}

function essence({ metadata, spec, status }: Node): object {
  return {
    labels: metadata.labels,
    deletionTimestamp: metadata.deletionTimestamp,
    spec,
    allocatable: status?.allocatable,
    ready: findCondition(status?.conditions, 'Ready')?.status,
    leaseValid: findCondition(status?.conditions, 'LeaseValid')?.status,
    isFlapping: status?.taints?.some(({ key }) => key === FLAPPING_TAINT),
    pools: status?.pools?.map(({ name, poolUid, ready, total }) => ({ name, poolUid, ready, total })),
  };
}

/** A placed container is gone, or asks for something else. */
function frees({ old, new: now }: Change<Container>): boolean {
  const before = claimOf(old);
  return before !== undefined && !isSameJson(before, claimOf(now));
}

/** A container was placed: a spread may be evener for it, which is all that it can do for others. */
function fills({ old, new: now }: Change<Container>): boolean {
  return claimOf(old) === undefined && claimOf(now) !== undefined;
}

function claimOf(container: Container | undefined): object | undefined {
  if (!container?.status?.nodeName) return undefined;
  const { metadata, spec, status } = container;
  return {
    key: keyOf(container),
    uid: metadata.uid,
    node: status.nodeName,
    labels: metadata.labels,
    resources: spec.resources,
    antiAffinity: spec.placement?.antiAffinity,
  };
}

function hasRequiredSpread({ spec }: Container): boolean {
  return spec.placement?.spread?.some(({ mode }) => mode !== 'Preferred') ?? false;
}
