import { keyOf } from '../../crds/object.ts';
import { type Container, containerKind } from '../../crds/container.ts';
import { storagePoolKind } from '../../crds/storage-pool.ts';
import { conflict } from '../status.ts';
import type { AdmissionRule, LookUp } from './admission.ts';

/** As many names as a person wants to read. */
const MAX_NAMES = 3;

/**
 * A StoragePool that Containers name for their root or a volume is not deleted. Those that are being deleted themselves
 * do not count, so that one `kubectl delete -f` can take both away: the pool's finalizer waits for them.
 */
export function storagePoolInUse(lookUp: LookUp): AdmissionRule {
  return {
    async beforeDelete({ definition, name, call }) {
      if (definition.group !== storagePoolKind.group || definition.resource !== storagePoolKind.resource)
        return;
      const containers = lookUp(containerKind.group, containerKind.version, containerKind.resource);
      const all = (await containers?.list({}, call))?.items.map(({ object }) => object) ?? [];
      const users = all.filter(
        (object) =>
          object.metadata.deletionTimestamp === undefined && isNamedBy(object as Container, name.name),
      );
      const count = users.length;
      if (count === 0) return;
      const names = users.slice(0, MAX_NAMES).map(keyOf);
      const listed =
        count > MAX_NAMES ? `${names.join(', ')} and ${count - MAX_NAMES} more` : names.join(', ');
      throw conflict(
        definition,
        name.name,
        `it holds the root or a volume of ${count === 1 ? '1 container' : `${count} containers`}: ${listed}`,
      );
    },
  };
}

function isNamedBy({ spec }: Container, pool: string): boolean {
  return spec.rootPool === pool || spec.volumes?.some((volume) => volume.pool === pool) === true;
}
