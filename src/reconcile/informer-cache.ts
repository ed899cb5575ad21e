import { type KubeObject, keyOf } from '../crds/object.ts';
import type { Cache } from './informer.ts';

/** The side of a Cache that the informer fills. Every object is frozen when it is put in. */
export interface MutableCache<T extends KubeObject> extends Cache<T> {
  readonly size: number;
  keys(): Iterable<string>;
  set(object: T): void;
  delete(key: string): void;
}

export type Indexes<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

export function createCache<T extends KubeObject>(indexes: Indexes<T>): MutableCache<T> {
  const objects = new Map<string, T>();
  const byName = new Map(
    Object.entries(indexes).map(([name, valuesOf]) => [
      name,
      { valuesOf, groups: new Map<string, Map<string, T>>() },
    ]),
  );
  /** Made on the first `list` after a change. */
  let listed: readonly T[] | undefined;

  const unindex = (key: string, object: T): void => {
    for (const { valuesOf, groups } of byName.values()) {
      for (const value of valuesOf(object)) {
        const group = groups.get(value);
        group?.delete(key);
        if (group?.size === 0) groups.delete(value);
      }
    }
  };
  const index = (key: string, object: T): void => {
    for (const { valuesOf, groups } of byName.values()) {
      for (const value of valuesOf(object)) {
        const group = groups.get(value) ?? new Map<string, T>();
        groups.set(value, group.set(key, object));
      }
    }
  };

  return {
    get size() {
      return objects.size;
    },
    keys: () => objects.keys(),
    get: (key) => objects.get(key),
    list: () => (listed ??= Object.freeze([...objects.values()])),
    byIndex(name, value) {
      const known = byName.get(name);
      if (!known) throw new Error(`There is no index ${name}, only: ${[...byName.keys()].join(', ')}`);
      return [...(known.groups.get(value)?.values() ?? [])];
    },
    set(object) {
      const key = keyOf(object);
      const old = objects.get(key);
      if (old) unindex(key, old);
      objects.set(key, freeze(object));
      index(key, object);
      listed = undefined;
    },
    delete(key) {
      const old = objects.get(key);
      if (!old) return;
      unindex(key, old);
      objects.delete(key);
      listed = undefined;
    },
  };
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}
