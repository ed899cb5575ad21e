import { type Container, containerKind } from '../../crds/container.ts';
import type { SchedulingFacts } from '../../plan/scheduling/facts.ts';
import { sleep } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import { listAll } from '../../reconcile/list-all.ts';
import type { ControllerDeps } from '../deps.ts';

const RETRY_MS = 500;

/**
 * Counts what earlier leaders placed, by a fresh read: a cache that lags a little would have this one promise the same room
 * again. Tries until it succeeds or `signal` is aborted; no decision is to be taken before.
 */
export async function assumeEarlierPlacements(
  deps: Pick<ControllerDeps, 'store' | 'clock' | 'logger'>,
  facts: SchedulingFacts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items } = await listAll<Container>(deps.store, containerKind, {}, signal);
      for (const container of items) {
        if (container.status?.nodeName) facts.assume(container, container.status.nodeName);
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      deps.logger.warn({ error: messageOf(error) }, 'containers cannot be listed; nothing is placed');
      await sleep(deps.clock, RETRY_MS, signal);
    }
  }
}
