import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Container, containerKind } from '../../src/crds/container.ts';
import { type Lease, leaseRef } from '../../src/crds/lease.ts';
import { nodeKind } from '../../src/crds/node.ts';
import { type KubeObject, keyOf, type ResourceRef } from '../../src/crds/object.ts';
import { storagePoolKind } from '../../src/crds/storage-pool.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import { hasCode } from '../../src/ports/errors.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { BEAT_FILE } from './heartbeat-image.ts';

/** Everything that a run leaves for the validators. All times but `wallMs` are of the machine's monotonic clock. */
export interface RunRecord {
  /** By name of the container, in the order in which the lines were written. */
  beats: ReadonlyMap<string, readonly Beat[]>;
  calls: readonly Call[];
  /** Each of them is a watch of everything, from the same moment on. */
  watches: readonly WatchLog[];
}

export interface Beat {
  /** `?`: its root is on shared storage. */
  host: string;
  /** Another one after each start. */
  boot: string;
  count: number;
  /** Monotonic; in steps of 10 ms. */
  atMs: number;
}

export interface Call {
  container: string;
  verb: 'create' | 'patch' | 'delete';
  /** What was written into the object, higher each time; absent for `delete`. */
  counter?: number;
  begunMs: number;
  endedMs: number;
  /** `refused`: the server said no, and nothing was done. `unknown`: no reply, or none that says. */
  outcome: 'done' | 'refused' | 'unknown';
  error?: string;
  /** Of the reply. */
  uid?: string;
  revision?: number;
}

export type Seen = {
  atMs: number;
  wallMs: number;
  revision: number;
  key: string;
  /** Found by a list after a gap: what was between is not known. */
  isListed?: true;
} & (
  | { kind: 'Container'; type: EventType; object: Container }
  | { kind: 'Lease'; type: EventType; object: Lease }
  | { kind: 'Node' | 'StoragePool'; type: EventType; object: KubeObject }
);
export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchLog {
  /** Of all kinds, as they arrived: in order within each kind. What was there at the begin comes first, as ADDED. */
  events: Seen[];
  gaps: Gap[];
}

/** A server that was started anew does not know the past: it answers 410 to who goes on from there, and a list closes the gap. */
export interface Gap {
  kind: string;
  /** Everything up to it was seen. */
  from: number;
  /** And everything after it. */
  to: number;
}

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

/** @param sharedDir the folder of the pool on which the containers' volumes `beat` are */
export function readBeats(sharedDir: string, container: string): Beat[] {
  const path = join(sharedDir, 'volumes', `default_${container}_beat`, BEAT_FILE);
  return parseBeats(readOrNothing(path));
}

/** A line that was cut short by a crash, and one that is being written, are no heartbeats. */
export function parseBeats(text: string): Beat[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole.split('\n').flatMap((line) => {
    const [host = '', boot = '', count, seconds, ...rest] = line.split(' ');
    if (boot.length !== 36 || seconds === undefined || rest.length > 0) return [];
    return [{ host, boot, count: Number(count), atMs: Math.round(Number(seconds) * 1_000) }];
  });
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
