import { setCondition } from '../../crds/conditions.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import type { Clock } from '../../ports/clock.ts';
import { withDeadline } from '../../ports/deadline.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { guardCondition } from '../node/node-report.ts';
import type { GuardLink } from './guard-link.ts';
import type { GuardedContainers } from './guarded.ts';

/**
 * The clean end of an agent, for an upgrade say, stops no container, however long it takes: first the leader is told, by
 * the Node and by the lease itself, that this host is not fenced by time any more; only then, when both are written, the
 * guard is told to let everything run on. If the first does not work, the second is not done: the deadline goes on, and
 * an agent that is back before it changes nothing.
 */
export interface HandOverDeps {
  nodeName: string;
  store: Pick<ObjectStore, 'get' | 'updateStatus'>;
  link: Pick<GuardLink, 'isArmed' | 'release'>;
  guarded: Pick<GuardedContainers, 'keys'>;
  clock: Clock;
  logger: Logger;
}

const TOLD_MS = 1_500;

/** @param renewUnarmed a renewal that says in the lease that no guard is armed */
export async function handOver(
  deps: HandOverDeps,
  renewUnarmed: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { link, guarded, clock, logger } = deps;
  if (!link.isArmed() || guarded.keys().length === 0) return;
  const { signal } = new AbortController();
  try {
    await withDeadline({ clock, timeoutMs: TOLD_MS, what: 'Saying that the agent ends' }, signal, (inner) =>
      sayUnarmed(deps, inner),
    );
    await renewUnarmed(signal);
    await link.release(signal);
    logger.info({}, 'the guard lets the containers run on until the next agent is there');
  } catch (error) {
    const message =
      'the guard stops what may be recovered elsewhere at the deadline, unless an agent is back by then';
    logger.warn({ error: messageOf(error) }, message);
  }
}

async function sayUnarmed({ nodeName, store, clock }: HandOverDeps, signal: AbortSignal): Promise<void> {
  const node = await store.get<Node>(nodeKind, { name: nodeName }, signal);
  if (node === undefined) return;
  const update = { ...guardCondition(false), reason: 'AgentStopped' };
  const conditions = setCondition(node.status?.conditions, update, new Date(clock.nowMs()).toISOString());
  await store.updateStatus<Node>(nodeKind, { ...node, status: { ...node.status, conditions } }, signal);
}
