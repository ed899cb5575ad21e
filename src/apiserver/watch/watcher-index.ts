import { fieldValue, requiredValue } from '../selectors/field-selector.ts';
import type { Change } from './change.ts';
import type { Watcher } from './watcher.ts';

/**
 * Which watchers a change may concern, without asking each: a watcher that asks for one value of an indexed field is
 * found by that value, one of a namespace by the namespace. A thousand agents that each watch `status.nodeName=<own>`
 * cost one look-up per change.
 */
export class WatcherIndex {
  readonly #fields: readonly string[];
  readonly #all = new Set<Watcher>();
  readonly #byNamespace = new Map<string, Set<Watcher>>();
  readonly #byField = new Map<string, Map<string, Set<Watcher>>>();
  #size = 0;

  constructor(selectableFields: readonly string[]) {
    this.#fields = [...selectableFields, 'metadata.name'];
  }

  get size(): number {
    return this.#size;
  }

  add(watcher: Watcher): void {
    this.#size += 1;
    this.#bucket(watcher).add(watcher);
  }

  remove(watcher: Watcher): void {
    if (this.#bucket(watcher).delete(watcher)) this.#size -= 1;
    this.#dropEmpty(watcher);
  }

  all(): Watcher[] {
    const byField = [...this.#byField.values()].flatMap((values) => [...values.values()]);
    return [this.#all, ...this.#byNamespace.values(), ...byField].flatMap((watchers) => [...watchers]);
  }

  /** Everyone whom `change` may concern, each once. */
  concerned(change: Change): Set<Watcher> {
    const found = new Set(this.#all);
    for (const version of [change.before, change.after]) {
      if (version === undefined) continue;
      const { object } = version;
      addAll(found, this.#byNamespace.get(object.metadata.namespace ?? ''));
      for (const [field, values] of this.#byField) addAll(found, values.get(fieldValue(object, field)));
    }
    return found;
  }

  #bucket(watcher: Watcher): Set<Watcher> {
    const place = this.#placeOf(watcher);
    if (place === undefined) return this.#all;
    let bucket = place.map.get(place.key);
    if (bucket === undefined) {
      bucket = new Set();
      place.map.set(place.key, bucket);
    }
    return bucket;
  }

  #placeOf({
    selection,
  }: Watcher): { map: Map<string, Set<Watcher>>; key: string; field?: string } | undefined {
    for (const field of this.#fields) {
      const key = requiredValue(selection.fields, field);
      if (key === undefined) continue;
      let map = this.#byField.get(field);
      if (map === undefined) {
        map = new Map();
        this.#byField.set(field, map);
      }
      return { map, key, field };
    }
    return selection.namespace === undefined
      ? undefined
      : { map: this.#byNamespace, key: selection.namespace };
  }

  #dropEmpty(watcher: Watcher): void {
    const place = this.#placeOf(watcher);
    if (place === undefined || (place.map.get(place.key)?.size ?? 0) > 0) return;
    place.map.delete(place.key);
    if (place.field !== undefined && place.map.size === 0) this.#byField.delete(place.field);
  }
}

function addAll(found: Set<Watcher>, watchers: Set<Watcher> | undefined): void {
  for (const watcher of watchers ?? []) found.add(watcher);
}
