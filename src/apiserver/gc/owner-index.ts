import type { KubeObject, OwnerReference } from '../../crds/object.ts';
import type { Change } from '../watch/change.ts';

/** Which objects name which owner, by the owner's uid, as the watch caches show it. */
export class OwnerIndex {
  readonly #dependents = new Map<string, Set<string>>();

  apply({ key, before, after }: Change): void {
    for (const { uid } of ownersOf(before?.object)) {
      const dependents = this.#dependents.get(uid);
      dependents?.delete(key);
      if (dependents?.size === 0) this.#dependents.delete(uid);
    }
    for (const { uid } of ownersOf(after?.object)) {
      const dependents = this.#dependents.get(uid) ?? new Set();
      this.#dependents.set(uid, dependents.add(key));
    }
  }

  /** The keys of the objects that name the owner `uid`. */
  of(uid: string): string[] {
    return [...(this.#dependents.get(uid) ?? [])];
  }
}

export function ownersOf(object: KubeObject | undefined): readonly OwnerReference[] {
  return object?.metadata.ownerReferences ?? [];
}
