import { containerKind } from '../../src/crds/container.ts';
import { leaseRef } from '../../src/crds/lease.ts';
import { nodeKind } from '../../src/crds/node.ts';
import { type KubeObject, keyOf, type ResourceRef } from '../../src/crds/object.ts';
import { storagePoolKind } from '../../src/crds/storage-pool.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import { hasCode } from '../../src/ports/errors.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { EventType, Seen, WatchLog } from './record.ts';

export interface Watching {
  readonly log: WatchLog;
  close(): Promise<void>;
}

const KINDS: readonly ResourceRef[] = [containerKind, nodeKind, storagePoolKind, leaseRef];
const RETRY_MS = 150;

/** A watch of every kind that ends only with `close`: it goes on from where it was, as clients of Kubernetes do. */
export async function watchAll(kubeConfig: string): Promise<Watching> {
  const store = createObjectStore({ kubeConfig, userAgent: 'hostler-faults', logger: silentLogger });
  const stop = new AbortController();
  const log: WatchLog = { events: [], gaps: [] };
  const begin = async (ref: ResourceRef): Promise<() => Promise<void>> => {
    const { items, resourceVersion } = await store.list(ref, {}, stop.signal);
    for (const object of items) log.events.push(seen(ref, 'ADDED', object));
    return () => follow(ref, resourceVersion);
  };
  const relist = async (ref: ResourceRef, from: string): Promise<string> => {
    const { items, resourceVersion } = await store.list(ref, {}, stop.signal);
    log.events.push(...changesSince(log.events, ref, items, Number(resourceVersion)));
    log.gaps.push({ kind: ref.kind, from: Number(from), to: Number(resourceVersion) });
    return resourceVersion;
  };
  const follow = async (ref: ResourceRef, from: string): Promise<void> => {
    let resourceVersion = from;
    let isExpired = false;
    while (!stop.signal.aborted) {
      try {
        if (isExpired) resourceVersion = await relist(ref, resourceVersion);
        isExpired = false;
        for await (const event of store.watch(ref, { resourceVersion, timeoutSeconds: 30 }, stop.signal)) {
          if (event.type === 'BOOKMARK') {
            ({ resourceVersion } = event);
            continue;
          }
          log.events.push(seen(ref, event.type, event.object));
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        isExpired ||= hasCode(error, 'Expired');
      }
      await sleep(clock, RETRY_MS, stop.signal);
    }
  };
  const following = (await Promise.all(KINDS.map(begin))).map((run) => run());
  return {
    log,
    async close() {
      stop.abort();
      await Promise.all(following);
      store.close();
    },
  };
}

function seen(ref: ResourceRef, type: EventType, object: KubeObject): Seen {
  const revision = Number(object.metadata.resourceVersion);
  const times = { atMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  return { ...times, kind: ref.kind, type, key: keyOf(object), revision, object } as Seen;
}

/** What a list shows that the events before do not. */
function changesSince(
  events: readonly Seen[],
  ref: ResourceRef,
  items: readonly KubeObject[],
  listRevision: number,
): Seen[] {
  const known = new Map<string, Seen>();
  for (const event of events) {
    if (event.kind !== ref.kind) continue;
    if (event.type === 'DELETED') known.delete(event.key);
    else known.set(event.key, event);
  }
  const changes: Seen[] = [];
  for (const object of items) {
    const before = known.get(keyOf(object));
    known.delete(keyOf(object));
    if (
      before?.object.metadata.uid === object.metadata.uid &&
      before?.revision === Number(object.metadata.resourceVersion)
    )
      continue;
    changes.push({ ...seen(ref, before === undefined ? 'ADDED' : 'MODIFIED', object), isListed: true });
  }
  for (const { object } of known.values()) {
    changes.push({ ...seen(ref, 'DELETED', object), revision: listRevision, isListed: true });
  }
  return changes;
}
