import { CLUSTER_POLICY_NAME, type ClusterPolicy } from '../../crds/cluster-policy.ts';
import type { Node, NodeStatus } from '../../crds/node.ts';
import { type LeasePolicy, leasePolicyOf } from '../../plan/failover/lease-policy.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Informer } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';

/**
 * What the ClusterPolicy wants of this node's lease, by the Node's labels. While it is not known, or breaks its rules, the
 * last that was known goes on; an agent that knows none goes on with what its lease states.
 */
export interface NodeLeasePolicy {
  /** To be called when the policy or the Node has changed. */
  review(): void;
  /** For Node.status, with what the lease states by now; undefined: it states nothing yet. */
  report(stated: FailoverTiming | undefined): NodeStatus['lease'];
}

export interface NodeLeasePolicyDeps {
  nodeName: string;
  policies: Pick<Informer<ClusterPolicy>, 'cache' | 'hasSynced'>;
  nodes: Pick<Informer<Node>, 'cache' | 'hasSynced'>;
  logger: Logger;
  onWanted: (timing: FailoverTiming) => void;
}

export function createNodeLeasePolicy(deps: NodeLeasePolicyDeps): NodeLeasePolicy {
  const { nodeName, policies, nodes, logger, onWanted } = deps;
  let known: LeasePolicy | undefined;
  let isRefused = false;
  return {
    review() {
      const node = nodes.cache.get(nodeName);
      if (!policies.hasSynced() || node === undefined) return;
      const next = leasePolicyOf(policies.cache.get(CLUSTER_POLICY_NAME), node.metadata.labels ?? {});
      if (next === undefined && !isRefused)
        logger.warn({}, 'the ClusterPolicy breaks its rules: not followed');
      isRefused = next === undefined;
      if (next === undefined || isSameJson(next, known)) return;
      known = next;
      logger.info({ ...next }, 'the lease timing that is wanted');
      onWanted(next.timing);
    },
    report(stated) {
      if (stated === undefined) return undefined;
      const { renewMs, durationMs, fenceDelayMs } = stated;
      const nodeClass = isSameJson(known?.timing, stated) ? known?.nodeClass : undefined;
      return {
        renew: formatMs(renewMs),
        duration: formatMs(durationMs),
        fenceDelay: formatMs(fenceDelayMs),
        ...(nodeClass === undefined ? {} : { class: nodeClass }),
      };
    },
  };
}

function formatMs(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
