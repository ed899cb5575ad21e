import { type KubeObject, type ResourceRef, keyOf } from '../../src/crds/object.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { WatchEvent, WatchOptions } from '../../src/ports/object-store.ts';

/** Every change of a FakeObjectStore in order, from which its watches and its reads of the past come. */
export interface History {
  revision(): number;
  compactedAt(): number;
  append(
    ref: ResourceRef,
    type: 'ADDED' | 'MODIFIED' | 'DELETED',
    object: KubeObject,
    old: KubeObject | undefined,
  ): void;
  tableAt(ref: ResourceRef, revision: number): Map<string, KubeObject>;
  watch<T extends KubeObject>(
    ref: ResourceRef,
    options: WatchOptions,
    matches: (object: KubeObject) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>>;
  compact(): void;
  bookmark(): void;
  dropWatches(error: HostlerError | undefined): void;
  stall(isStalled: boolean): void;
  repeat(): void;
  openWatches(): number;
}

interface Entry {
  revision: number;
  id: string;
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object?: KubeObject;
  old?: KubeObject;
}

const idOf = (ref: ResourceRef): string => `${ref.group}/${ref.resource}`;

export function createHistory(clock: Clock): History {
  const entries: Entry[] = [];
  const wakers = new Set<() => void>();
  const dropped = new Set<(error: HostlerError | undefined) => void>();
  const rewinds = new Set<() => void>();
  let revision = 1;
  let compacted = 0;
  let isStalled = false;
  const wake = (): void => {
    for (const waker of wakers) waker();
  };
  const tableAt = (ref: ResourceRef, at: number): Map<string, KubeObject> => {
    const table = new Map<string, KubeObject>();
    for (const { id, type, object, revision: changedAt } of entries) {
      if (id !== idOf(ref) || !object || changedAt > at) continue;
      if (type === 'DELETED') table.delete(keyOf(object));
      else table.set(keyOf(object), object);
    }
    return table;
  };

  return {
    revision: () => revision,
    compactedAt: () => compacted,
    tableAt,
    append(ref, type, object, old) {
      revision += 1;
      entries.push({ revision, id: idOf(ref), type, object, ...(old === undefined ? {} : { old }) });
      wake();
    },
    compact() {
      compacted = revision;
    },
    bookmark() {
      entries.push({ revision, id: '', type: 'BOOKMARK' });
      wake();
    },
    dropWatches(error) {
      for (const drop of dropped) drop(error);
    },
    stall(value) {
      isStalled = value;
      wake();
    },
    repeat() {
      for (const rewind of rewinds) rewind();
      wake();
    },
    openWatches: () => dropped.size,
    async *watch<T extends KubeObject>(
      ref: ResourceRef,
      options: WatchOptions,
      matches: (object: KubeObject) => boolean,
      signal: AbortSignal,
    ) {
      const from = Number(options.resourceVersion);
      if (from < compacted) throw new HostlerError('Expired', 'too old resource version');
      let end: { error?: HostlerError } | undefined;
      let wakeUp = (): void => {};
      const waker = (): void => wakeUp();
      const finish = (error?: HostlerError): void => {
        end = error === undefined ? {} : { error };
        waker();
      };
      const onAbort = (): void => finish(new HostlerError('Aborted', 'the watch was aborted'));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const seconds = options.timeoutSeconds;
      const timer = seconds === undefined ? undefined : clock.schedule(seconds * 1_000, () => finish());
      wakers.add(waker);
      dropped.add(finish);
      let cursor = entries.findIndex((entry) => entry.revision > from);
      if (cursor < 0) cursor = entries.length;
      const begin = cursor;
      const rewind = (): void => {
        cursor = begin;
      };
      rewinds.add(rewind);
      try {
        for (;;) {
          while (cursor < entries.length) {
            if (end || isStalled) break;
            const event = eventFor<T>(entries[cursor++] as Entry, idOf(ref), matches);
            if (event) yield event;
          }
          if (end?.error) throw end.error;
          if (end) return;
          await new Promise<void>((resolve) => {
            wakeUp = resolve;
          });
        }
      } finally {
        timer?.cancel();
        signal.removeEventListener('abort', onAbort);
        wakers.delete(waker);
        dropped.delete(finish);
        rewinds.delete(rewind);
      }
    },
  };
}

/** An object that begins or ceases to match is ADDED or DELETED for a watch with selectors. */
function eventFor<T extends KubeObject>(
  { id, type, object, old, revision }: Entry,
  wanted: string,
  matches: (object: KubeObject) => boolean,
): WatchEvent<T> | undefined {
  if (type === 'BOOKMARK') return { type, resourceVersion: String(revision) };
  if (id !== wanted || !object) return undefined;
  const did = old !== undefined && matches(old);
  const does = type !== 'DELETED' && matches(object);
  if (!did && !does) return undefined;
  if (does) return { type: did ? 'MODIFIED' : 'ADDED', object: structuredClone(object) as T };
  const last = structuredClone(type === 'DELETED' ? object : old) as T;
  last.metadata.resourceVersion = String(revision);
  return { type: 'DELETED', object: last };
}
