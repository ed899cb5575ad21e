import { type Container, type FailoverPolicy, instanceNameOf } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import { failoverOf, isGuarded } from '../../plan/failover/eligibility.ts';
import type { GuardedContainer } from '../../ports/guard.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import type { Informer } from '../../reconcile/informer.ts';
import { keyOfInstance } from '../containers/keys.ts';
import type { GuardLink } from './guard-link.ts';

/**
 * Which containers of this node stop at the deadline of its lease, and whether they may be started now. A container is on
 * the guard's list before `status.failover` says that it may be placed elsewhere, and until after that says `Stay`; one that
 * was placed elsewhere, until nothing of it is left on this host.
 */
export interface GuardedContainers {
  /** To be called when a container or a pool has changed, and once everything is known. */
  review(): void;
  /** What the guard remembers of the time before this agent. */
  remember(containers: readonly GuardedContainer[]): void;
  /** Nothing of the container is on this host any more. */
  settle(key: string): void;
  /** Whether its starts need the guard's word. */
  needsPermission(container: Container): boolean;
  /** Asks the guard. True for those that need no permission. */
  mayStart(container: Container, signal: AbortSignal): Promise<boolean>;
  /** The value that `status.failover` has to get; undefined: it stays. */
  agreed(container: Container): FailoverPolicy | undefined;
  keys(): string[];
}

export interface GuardedDeps {
  containers: Pick<Informer<Container>, 'cache' | 'hasSynced'>;
  pools: Pick<Informer<StoragePool>, 'cache' | 'hasSynced'>;
  link: Pick<GuardLink, 'setContainers' | 'knows' | 'mayStart'>;
}

export function createGuardedContainers({ containers, pools, link }: GuardedDeps): GuardedContainers {
  /** By key; those that the API does not place here any more included. */
  const entries = new Map<string, GuardedContainer>();
  let told: readonly GuardedContainer[] | undefined;

  const isKnown = (): boolean => containers.hasSynced() && pools.hasSynced();
  const wanted = (container: Container) => failoverOf(container, pools.cache);
  const isListed = (container: Container): boolean => {
    if (isGuarded(container)) return true;
    if (isKnown()) return wanted(container).eligible;
    return entries.get(keyOf(container))?.uid === container.metadata.uid;
  };

  const tell = (): void => {
    if (!isKnown()) return;
    const list = [...entries.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1));
    if (told !== undefined && isSameJson(told, list)) return;
    told = list;
    link.setContainers(list);
  };

  return {
    review() {
      if (!isKnown()) return;
      for (const container of containers.cache.list()) {
        const key = keyOf(container);
        if (isListed(container)) entries.set(key, entryOf(container));
        else entries.delete(key);
      }
      tell();
    },
    remember(remembered) {
      for (const entry of remembered) {
        const key = keyOfInstance(entry.instance);
        if (key !== undefined && !entries.has(key)) entries.set(key, entry);
      }
    },
    settle(key) {
      const container = containers.cache.get(key);
      if (container !== undefined && isListed(container)) return;
      if (entries.delete(key)) tell();
    },
    needsPermission: isListed,
    mayStart: async (container, signal) =>
      !isListed(container) || (await link.mayStart(entryOf(container), signal)),
    agreed(container) {
      if (!isKnown()) return undefined;
      const { eligible, how } = wanted(container);
      if (how === container.status?.failover) return undefined;
      if (!eligible) return isGuarded(container) ? 'Stay' : undefined;
      return link.knows(entryOf(container)) ? how : undefined;
    },
    keys: () => [...entries.keys()],
  };
}

function entryOf(container: Container): GuardedContainer {
  return {
    instance: instanceNameOf(container),
    uid: container.metadata.uid ?? '',
    term: container.status?.term ?? 0,
  };
}
