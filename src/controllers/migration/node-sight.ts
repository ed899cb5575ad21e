import type { Container } from '../../crds/container.ts';
import { failoverOf, isGuarded } from '../../plan/failover/eligibility.ts';
import type { Standing } from '../../plan/failover/standing.ts';
import type { NodeSight } from '../../plan/migration/facts.ts';
import type { ControllerDeps } from '../deps.ts';

/**
 * Its agent is heard of, or this leader cannot say yet. A daemon that restarts, or an outage of the control plane, is no
 * loss: the passes that it costs are made again.
 */
const HEARD = new Set<Standing['is']>(['Live', 'Unproven', 'Joining']);

/**
 * A node as a migration looks at it. It is fenced for a container that is guarded: only of such a one is it known that it
 * stopped before the lease was taken away, and that it does not start under an old term.
 */
export function nodeSight(
  { facts, leases, informers }: Pick<ControllerDeps, 'facts' | 'leases' | 'informers'>,
  name: string,
  container: Container | undefined,
): NodeSight {
  const lease = leases.lease(name);
  const isRevoked = lease?.holder === '' && !lease.rejoinAsked && lease.revokedBy !== undefined;
  const isOfThatTerm = (container?.status?.term ?? 0) <= (lease?.term ?? 0);
  return {
    isReady: HEARD.has(leases.standing(name, informers.nodes.cache.get(name)).is),
    isFenced: isRevoked && isOfThatTerm && container !== undefined && isGuarded(container),
    seat: {
      node: name,
      term: lease?.term ?? 0,
      failover: container === undefined ? 'Stay' : failoverOf(container, facts.pools).how,
    },
  };
}
