import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { poolsOf } from '../../plan/storage/container-folders.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';
import { quietSource } from '../quiet-source.ts';
import { storagePoolReconciler } from './reconcile.ts';

/** How late the number of containers in a pool's status may be. */
const QUIET_MS = 1_000;

/** Storage pools as a whole (reconcile.ts). */
export function createStoragePoolController(deps: ControllerDeps): Controller {
  const { pools, nodes, containers } = deps.informers;
  const ofContainers = informerSource(containers, poolsToCount);
  return createController({
    ...deps,
    name: 'storagepool',
    reconcile: untilGone(storagePoolReconciler(deps)),
    sources: [
      informerSource(pools),
      informerSource(nodes, () => pools.cache.list().map(keyOf)),
      quietSource(ofContainers, deps.clock, QUIET_MS),
    ],
  });
}

/** Most changes of a container do not change how many a pool has. */
function poolsToCount(container: Container, { old, new: now }: Change<Container>): string[] {
  const isCounted = old !== undefined && now !== undefined && isSameJson(poolsOf(old), poolsOf(now));
  return isCounted ? [] : poolsOf(container);
}
