import type { Container } from '../../crds/container.ts';
import { failoverOf, isGuarded } from '../../plan/failover/eligibility.ts';
import type { NodeSight } from '../../plan/migration/facts.ts';
import type { ControllerDeps } from '../deps.ts';

/**
 * A node as a migration looks at it. It is fenced for a container that is guarded: only of such a one is it known that it
 * stopped before the lease was taken away, and that it does not start under an old term.
 */
export function nodeSight(
  { facts, leases }: Pick<ControllerDeps, 'facts' | 'leases'>,
  name: string,
  container: Container | undefined,
): NodeSight {
  const lease = leases.lease(name);
  const isRevoked = lease?.holder === '' && !lease.rejoinAsked && lease.revokedBy !== undefined;
  const isOfThatTerm = (container?.status?.term ?? 0) <= (lease?.term ?? 0);
  return {
    isReady: facts.nodes.get(name)?.isReady === true,
    isFenced: isRevoked && isOfThatTerm && container !== undefined && isGuarded(container),
    seat: {
      node: name,
      term: lease?.term ?? 0,
      failover: container === undefined ? 'Stay' : failoverOf(container, facts.pools).how,
    },
  };
}
