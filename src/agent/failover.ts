import type { Runnable } from '../reconcile/runnable.ts';
import type { AgentDeps, AgentOptions } from './agent.ts';
import type { Core } from './core.ts';
import { createGuardLink } from './guard/guard-link.ts';
import { createGuardedContainers } from './guard/guarded.ts';
import { handOver } from './guard/hand-over.ts';
import { createFencedWordCheck } from './node/fenced-word.ts';
import { createNodeLease } from './node/lease.ts';
import { createNodeLeasePolicy } from './node/lease-policy.ts';
import { createWitnesses } from './node/witnesses.ts';
import { whenSynced } from './when-synced.ts';

/** What keeps the containers that may be recovered elsewhere to the node's lease. */
export function createFailoverParts(
  options: AgentOptions,
  deps: AgentDeps,
  { informers, wake, wakeNode }: Core,
) {
  const { nodeName } = options;
  const wakeGuarded = (): void => {
    wakeNode();
    for (const key of guarded.keys()) wake(key);
  };
  const link = createGuardLink({ ...deps, guard: deps.guard, onChange: wakeGuarded });
  const guarded = createGuardedContainers({ ...informers, link });
  informers.containers.onChange(() => guarded.review());
  informers.pools.onChange(() => guarded.review());
  const witnesses = createWitnesses({
    ...deps,
    ...options,
    members: informers.members,
    peers: deps.peers,
    file: deps.knownPeers,
  });
  const lease = createNodeLease({
    ...deps,
    ...options,
    store: deps.leaseStore,
    guard: link,
    witnesses,
    takeBackWord: createFencedWordCheck({ ...deps, nodeName }),
    onHeld: wakeGuarded,
    onTiming: wakeNode,
    onGuard: (report) => guarded.remember(report.containers),
    onStop: (renewUnarmed) => handOver({ ...deps, nodeName, link, guarded }, renewUnarmed),
  });
  const policy = createNodeLeasePolicy({
    ...deps,
    ...informers,
    nodeName,
    onWanted: (timing) => lease.want(timing),
  });
  informers.policies.onChange(() => policy.review());
  informers.nodes.onChange(() => policy.review());
  const policySync = whenSynced('policy-sync', [informers.policies, informers.nodes], {
    clock: deps.clock,
    run: () => policy.review(),
  });
  const whenFirstSynced = (run: () => void): Runnable =>
    whenSynced('first-sync', [informers.containers, informers.pools], {
      clock: deps.clock,
      run() {
        guarded.review();
        wakeGuarded();
        run();
      },
    });
  return { link, guarded, witnesses, lease, policy, policySync, whenFirstSynced };
}

export type FailoverParts = ReturnType<typeof createFailoverParts>;
