import { type Controller, createController } from '../../reconcile/controller.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';
import { assumeEarlierPlacements } from './earlier-placements.ts';
import { factsSource } from './facts-source.ts';
import { placementReconciler } from './reconcile.ts';

/** Decisions are taken one after the other; only their writes overlap. */
const CONCURRENCY = 16;

/**
 * Places containers on nodes (reconcile.ts). Those that no node can take are looked at again as soon as a node, a pool
 * or another container changes, in the order of their creation; nothing is polled.
 */
export function createPlacementController(deps: ControllerDeps): Controller {
  const { facts } = deps;
  const waiting = new Set<string>();
  const controller = createController({
    ...deps,
    name: 'placement',
    reconcile: untilGone(placementReconciler(deps, { facts, waiting })),
    sources: [factsSource(deps, facts, () => waiting)],
    concurrency: CONCURRENCY,
  });
  return {
    ...controller,
    async start(signal) {
      await assumeEarlierPlacements(deps, facts, signal);
      await controller.start(signal);
    },
  };
}
