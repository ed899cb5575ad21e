import { type Container, containerKind } from '../crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import type { ResourceRef } from '../crds/object.ts';
import { type ClusterVerdict, judgeCluster } from '../plan/lifecycle/cluster.ts';
import { type Clock, sleep } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { ListOptions, ObjectStore } from '../ports/object-store.ts';
import { isOlder } from '../reconcile/resource-version.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import type { Book } from './state/book.ts';

/**
 * Whether the API that answers is the one that this host's containers came from, and has not forgotten what it once knew.
 * Looked at from the start on, and again with every read on whose word something would be removed.
 */
export interface ClusterGuard extends Runnable {
  /** Undefined until the API was heard. */
  verdict(): ClusterVerdict | undefined;
  isTrusted(): boolean;
  /**
   * The Container by a read that is fresh, and what to make of the store that it came from: the identity is read after
   * the Container, so that a store that is swapped in between is noticed.
   */
  readFresh(
    key: { namespace: string; name: string },
    signal: AbortSignal,
  ): Promise<{ container: Container | undefined; verdict: ClusterVerdict }>;
}

export interface ClusterGuardDeps {
  nodeName: string;
  /** See AgentOptions. */
  acceptCluster?: string;
  /** How often it is looked at. */
  statusMs: number;
  /** How often a higher version is put on the disk although nothing else is. */
  resyncMs: number;
  store: Pick<ObjectStore, 'get' | 'list'>;
  book: Pick<Book, 'cluster' | 'putCluster'>;
  clock: Clock;
  logger: Logger;
  /** The verdict is another one now. */
  onChange(verdict: ClusterVerdict): void;
}

const namespaceRef: ResourceRef = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  resource: 'namespaces',
  namespaced: false,
};
const RETRY_MS = 1_000;

export function createClusterGuard(deps: ClusterGuardDeps): ClusterGuard {
  const { store, book, clock, logger } = deps;
  let verdict: ClusterVerdict | undefined;
  let acceptedUid = deps.acceptCluster;
  let savedMs: number | undefined;
  let trouble: string | undefined;

  const tell = (next: ClusterVerdict): void => {
    if (JSON.stringify(next) === JSON.stringify(verdict)) return;
    verdict = next;
    if (next.isTrusted) logger.info({}, 'the API is that of this cluster');
    else logger.error({ reason: next.reason, message: next.message }, 'the API is not trusted');
    deps.onChange(next);
  };

  const judge = (uid: string, resourceVersion: string, sentWith: string | undefined): ClusterVerdict => {
    const known = book.cluster();
    const result = judgeCluster({
      known,
      seen: { uid, resourceVersion },
      isOlder: isOlder(resourceVersion, sentWith),
      isNewer: isOlder(known?.resourceVersion, resourceVersion),
      acceptedUid,
    });
    // Accepted once: what happens to the store later is to be accepted anew.
    if (result.verdict.isTrusted) acceptedUid = undefined;
    const isSame = known?.uid === result.known.uid && known.wentBack === result.known.wentBack;
    const nowMs = clock.monotonicMs();
    const isDue = savedMs === undefined || nowMs - savedMs >= deps.resyncMs;
    if (!isSame || isDue) savedMs = nowMs;
    book.putCluster(result.known, { isUrgent: !isSame || isDue });
    tell(result.verdict);
    return result.verdict;
  };

  const read = async (options: ListOptions, signal: AbortSignal) => {
    const sentWith = book.cluster()?.resourceVersion;
    const { items, resourceVersion } = await store.list<Container>(containerKind, options, signal);
    const namespace = await store.get(namespaceRef, { name: NODE_LEASE_NAMESPACE }, signal);
    const uid = namespace?.metadata.uid;
    if (uid === undefined) {
      throw new HostlerError('NotFound', `the API has no Namespace ${NODE_LEASE_NAMESPACE}`);
    }
    return { container: items[0], verdict: judge(uid, resourceVersion, sentWith) };
  };

  const look = async (signal: AbortSignal): Promise<boolean> => {
    const fieldSelector = `status.nodeName=${deps.nodeName}`;
    try {
      await read({ fieldSelector, limit: 1 }, signal);
      trouble = undefined;
      return true;
    } catch (error) {
      const message = messageOf(error);
      if (!signal.aborted && message !== trouble) {
        logger.warn({ error: message }, 'cannot learn which cluster the API is of');
      }
      trouble = message;
      return false;
    }
  };

  return {
    name: 'cluster-guard',
    ready: () => verdict?.isTrusted === true,
    verdict: () => verdict,
    isTrusted: () => verdict?.isTrusted === true,
    readFresh: ({ namespace, name }, signal) =>
      read({ namespace, fieldSelector: `metadata.name=${name}` }, signal),
    async start(signal) {
      while (!signal.aborted) {
        const isDone = await look(signal);
        await sleep(clock, isDone ? deps.statusMs : RETRY_MS, signal);
      }
    },
  };
}
