import { type KubeObject, keyOf } from '../crds/object.ts';
import { type Clock, type Timer } from '../ports/clock.ts';
import type { Change, Informer } from './informer.ts';

/** Where a controller hears which keys to look at. Level-based: a key says 'look again', never what happened. */
export interface Source {
  /**
   * Begins to call `enqueue`; may call it before it returns.
   * @returns stops it; after it returns, `enqueue` is not called any more
   */
  subscribe(enqueue: (key: string) => void): () => void;
}

/**
 * The objects of an informer, those that are there already included.
 * @param keysFor the keys to look at after a change; default: the object's own. Called with the old and the new state,
 * so that an owner is looked at also when an object stops pointing to it
 */
export function informerSource<T extends KubeObject>(
  informer: Pick<Informer<T>, 'onChange'>,
  keysFor: (object: T, change: Change<T>) => readonly string[] = (object) => [keyOf(object)],
): Source {
  return {
    subscribe: (enqueue) =>
      informer.onChange((change) => {
        const keys = new Set<string>();
        if (change.old) for (const key of keysFor(change.old, change)) keys.add(key);
        if (change.new) for (const key of keysFor(change.new, change)) keys.add(key);
        for (const key of keys) enqueue(key);
      }),
  };
}

/** A source that is told the keys: for events of a host's daemon, say. Keys before `subscribe` are kept for it. */
export function createTrigger(): Source & { enqueue(key: string): void } {
  const early = new Set<string>();
  let subscriber: ((key: string) => void) | undefined;
  return {
    enqueue(key) {
      if (subscriber) subscriber(key);
      else early.add(key);
    },
    subscribe(enqueue) {
      subscriber = enqueue;
      for (const key of early) enqueue(key);
      early.clear();
      return () => {
        subscriber = undefined;
      };
    },
  };
}

/** Enqueues `keys()` every `everyMs`, the first time after one period. */
export function periodicSource(clock: Clock, everyMs: number, keys: () => Iterable<string>): Source {
  return {
    subscribe(enqueue) {
      let timer: Timer;
      const tick = (): void => {
        for (const key of keys()) enqueue(key);
        timer = clock.schedule(everyMs, tick);
      };
      timer = clock.schedule(everyMs, tick);
      return () => timer.cancel();
    },
  };
}
