import { type FieldSelector, fieldValue, requiredValue } from '../selectors/field-selector.ts';
import type { Change } from './change.ts';

/** Which keys have which value of a selectable field, so that a list for one node does not look at every container. */
export class FieldIndex {
  readonly #byField: ReadonlyMap<string, Map<string, Set<string>>>;

  constructor(fields: readonly string[]) {
    this.#byField = new Map(fields.map((field) => [field, new Map()]));
  }

  apply({ key, before, after }: Change): void {
    for (const [field, byValue] of this.#byField) {
      const old = before && fieldValue(before.object, field);
      const now = after && fieldValue(after.object, field);
      if (old === now) continue;
      if (old !== undefined) remove(byValue, old, key);
      if (now !== undefined) byValue.set(now, (byValue.get(now) ?? new Set()).add(key));
    }
  }

  /** The keys that can be selected, in order; undefined when that cannot be told from one indexed field. */
  candidates(selector: FieldSelector): string[] | undefined {
    for (const [field, byValue] of this.#byField) {
      const value = requiredValue(selector, field);
      if (value !== undefined) return [...(byValue.get(value) ?? [])].sort();
    }
    return undefined;
  }
}

function remove(byValue: Map<string, Set<string>>, value: string, key: string): void {
  const keys = byValue.get(value);
  keys?.delete(key);
  if (keys?.size === 0) byValue.delete(value);
}
