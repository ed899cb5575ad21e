import type { Container } from '../../src/crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../src/crds/lease.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { type ContainerWatch, isRunning } from './containers.ts';

/** What the way back of containers of a lost host is made of, in milliseconds from the moment that they are asked from. */
export interface RecoveryTimes {
  /** The lease of the host was taken away. */
  fencedMs: number;
  /** Each container was placed elsewhere. */
  placedMs: number[];
  /** Each container runs there. */
  runningMs: number[];
}

/** @param begunMs `performance.now` when the host was lost */
export async function recoveryTimes(
  kubeconfig: string,
  watch: ContainerWatch,
  { host, names, begunMs }: { host: string; names: readonly string[]; begunMs: number },
): Promise<RecoveryTimes> {
  const isPlaced = (container: Container | undefined): boolean => {
    const nodeName = container?.status?.nodeName;
    return nodeName !== undefined && nodeName !== host;
  };
  const since = async (holds: typeof isPlaced): Promise<number[]> => {
    const ends = await Promise.all(names.map((name) => watch.until([name], holds)));
    return ends.map((endMs) => endMs - begunMs);
  };
  const [fencedMs, placedMs, runningMs] = await Promise.all([
    whenFenced(kubeconfig, host).then((endMs) => endMs - begunMs),
    since(isPlaced),
    since((container) => isPlaced(container) && isRunning(container)),
  ]);
  return { fencedMs, placedMs, runningMs };
}

async function whenFenced(kubeConfig: string, host: string): Promise<number> {
  const store = createObjectStore({ kubeConfig, userAgent: 'hostler-bench', logger: silentLogger });
  const { signal } = new AbortController();
  const options = { namespace: NODE_LEASE_NAMESPACE, fieldSelector: `metadata.name=${host}` };
  try {
    const { items, resourceVersion } = await store.list<Lease>(leaseRef, options, signal);
    if (items[0]?.spec?.holderIdentity === '') return performance.now();
    const events = store.watch<Lease>(leaseRef, { ...options, resourceVersion, timeoutSeconds: 600 }, signal);
    for await (const event of events) {
      if (event.type === 'MODIFIED' && event.object.spec?.holderIdentity === '') return performance.now();
    }
    throw new Error(`The watch of the lease of ${host} has ended`);
  } finally {
    store.close();
  }
}
