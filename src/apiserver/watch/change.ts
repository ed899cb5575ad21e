import type { StoredEvent, StoredObject } from '../registry/registry.ts';
import { isSelected, type Selection } from '../selectors/selection.ts';
import { type ChangeType, eventOf, versionOf } from './stored.ts';

/** One write as the watch cache saw it: what was there before, and what is there now. */
export class Change {
  readonly key: string;
  readonly revision: number;
  readonly before: StoredObject | undefined;
  readonly after: StoredObject | undefined;
  /** When the cache saw it, on the monotonic clock. */
  readonly seenMs: number;
  readonly #events = new Map<ChangeType, StoredEvent>();

  constructor(
    key: string,
    revision: number,
    before: StoredObject | undefined,
    after: StoredObject | undefined,
    seenMs: number,
  ) {
    this.key = key;
    this.revision = revision;
    this.before = before;
    this.after = after;
    this.seenMs = seenMs;
  }

  /** What a watcher of `selection` sees of it: an object that leaves the selection is DELETED for it. */
  seenBy(selection: Selection): StoredEvent | undefined {
    const was = this.before !== undefined && isSelected(selection, this.before.object);
    const is = this.after !== undefined && isSelected(selection, this.after.object);
    if (is) return this.#event(was ? 'MODIFIED' : 'ADDED');
    return was ? this.#event('DELETED') : undefined;
  }

  /** What a watcher of everything sees of it. */
  whole(): StoredEvent {
    if (this.after === undefined) return this.#event('DELETED');
    return this.#event(this.before === undefined ? 'ADDED' : 'MODIFIED');
  }

  /** Made once for all watchers. A deletion shows the last state, at the revision of the write that ended it. */
  #event(type: ChangeType): StoredEvent {
    const known = this.#events.get(type);
    if (known !== undefined) return known;
    const stored =
      type === 'DELETED' ? versionOf((this.before as StoredObject).object, this.revision) : this.after;
    const event = eventOf(type, stored as StoredObject);
    this.#events.set(type, event);
    return event;
  }
}
