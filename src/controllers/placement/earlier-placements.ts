import { type Container, containerKind } from '../../crds/container.ts';
import type { SchedulingFacts } from '../../plan/scheduling/facts.ts';
import { sleep } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { ObjectList } from '../../ports/object-store.ts';
import type { ControllerDeps } from '../deps.ts';

const PAGE = 500;
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
      for (const container of await listAll(deps, signal)) {
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

async function listAll({ store }: Pick<ControllerDeps, 'store'>, signal: AbortSignal): Promise<Container[]> {
  const found: Container[] = [];
  let page: ObjectList<Container> | undefined;
  do {
    const next = page?.continue === undefined ? {} : { continue: page.continue };
    page = await store.list<Container>(containerKind, { limit: PAGE, ...next }, signal);
    found.push(...page.items);
  } while (page.continue !== undefined && page.continue !== '');
  return found;
}
