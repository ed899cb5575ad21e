import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { type Controller, createController, type ReconcileResult } from '../../reconcile/controller.ts';
import type { Informer } from '../../reconcile/informer.ts';
import { type createTrigger, informerSource, periodicSource } from '../../reconcile/source.ts';
import type { HostWatch } from '../host-watch.ts';
import type { Book } from '../state/book.ts';
import { createAddresses, type Addresses } from './addresses.ts';
import { assignedReconciler } from './assigned.ts';
import { concernsHost } from './concern.ts';
import type { ContainersContext } from './context.ts';
import { keyOfInstance } from './keys.ts';
import { orphanReconciler } from './orphans.ts';
import { createStatusWriter } from './status-writer.ts';

/**
 * The containers of this node. One key is one `namespace/name`, whatever instances and Containers go by it; it is looked
 * at when the API or the daemon reports something, and all of them from time to time. Before the API has been heard, and
 * while it is another cluster's, what the disk remembers stands in for it, for starts only.
 */
export interface ContainerSyncDeps {
  informer: Informer<Container>;
  /** Wakes single containers. */
  trigger: Trigger;
  resyncMs: number;
  hostAwaySinceMs(): number | undefined;
  onHost(fault?: unknown): void;
  hostWatch: Pick<HostWatch, 'lookBegins' | 'actionBegins'>;
}

export type Trigger = ReturnType<typeof createTrigger>;

/** Passes at once. Most wait for something (an image, a turn to create, a clean stop); they must not hold up the others. */
const CONCURRENCY = 128;
/** An image may have to come over a slow line. */
const DEADLINE_MS = 30 * 60_000;

export function createContainerSync(context: ContainersContext, deps: ContainerSyncDeps): Controller[] {
  const { book, clock } = context;
  const { informer, trigger } = deps;
  const addresses: Addresses = createAddresses({
    ...context,
    isHostBusy: () => context.limits.creates.running() > 1 || context.moving.active() > 1,
    onChange: (key) => statuses.repeat(key),
  });
  const orphan = orphanReconciler(context);
  const statuses = createStatusWriter({
    ...context,
    addressesOf: (key) => addresses.of(key),
    agreedFailover: (container) => context.guarded.agreed(container),
    wake: (key) => trigger.enqueue(key),
  });
  const assigned = assignedReconciler({ ...context, ...deps, addresses, statuses, examine: orphan });

  const reconcile = async (key: string, signal: AbortSignal): Promise<ReconcileResult> => {
    if (!informer.hasSynced() || !context.cluster.isTrusted()) {
      const remembered = book.get(key);
      return remembered === undefined ? {} : await assigned(remembered.container, 'disk', signal);
    }
    const container = context.latest.get(key);
    if (container !== undefined) return await assigned(container, 'api', signal);
    addresses.drop(key);
    statuses.drop(key);
    return await orphan(key, signal);
  };

  const controller = createController({
    ...context,
    name: 'containers',
    reconcile,
    sources: [
      informerSource(informer, (container, change) =>
        statuses.isEcho(change) || !concernsHost(change.old, change.new) ? [] : [keyOf(container)],
      ),
      trigger,
      periodicSource(clock, deps.resyncMs, () => knownKeys(book, informer)),
    ],
    concurrency: CONCURRENCY,
    deadlineMs: DEADLINE_MS,
  });

  return [controller, addresses.controller, statuses.controller];
}

/** The keys of all containers that the disk or the API knows, and of `instances`. */
export function knownKeys(
  book: Pick<Book, 'keys'>,
  informer: Pick<Informer<Container>, 'cache'>,
  instances: readonly { name: string }[] = [],
): Set<string> {
  const ofInstances = instances.map(({ name }) => keyOfInstance(name)).filter((key) => key !== undefined);
  return new Set([...book.keys(), ...informer.cache.list().map(keyOf), ...ofInstances]);
}
