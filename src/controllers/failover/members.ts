import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type ConfigMap, configMapRef, MEMBERS_CONFIG_MAP } from '../../crds/lease.ts';
import { apiVersionOf } from '../../crds/object.ts';
import { formatMembers, type MemberLease, planMembers } from '../../plan/failover/membership.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';

const KEY = 'members';

/**
 * The list of the nodes that count (plan/failover/membership.ts): one change at a time, each written on condition of the
 * list before. Only leases that come, go, change hands or use another list are looked at, not each renewal.
 */
export function createMembersController(deps: ControllerDeps): Controller {
  const { leases, informers, store } = deps;
  const { nodes, members } = informers;
  return createController({
    ...deps,
    name: 'members',
    sources: [
      { subscribe: (enqueue) => leases.turns.subscribe(() => enqueue(KEY)) },
      informerSource(nodes, (_, { old, new: now }) =>
        old === undefined ||
        now === undefined ||
        now.metadata.deletionTimestamp !== old.metadata.deletionTimestamp
          ? [KEY]
          : [],
      ),
      informerSource(members, () => [KEY]),
    ],
    reconcile: untilGone(async (_, signal) => {
      const map = members.cache.get(`${NODE_LEASE_NAMESPACE}/${MEMBERS_CONFIG_MAP}`);
      const there = nodes.cache.list().filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const next = planMembers({
        list: leases.members(),
        nodes: there.map(({ metadata }) => metadata.name),
        leases: informers.leases.cache.list().flatMap(({ metadata }) => memberLease(deps, metadata.name)),
      });
      if (next === undefined) return {};
      const data = formatMembers(next);
      if (map !== undefined) await store.update<ConfigMap>(configMapRef, { ...map, data }, signal);
      else await store.create<ConfigMap>(configMapRef, newMap(data), signal);
      deps.logger.info({ version: next.version, members: next.members.length }, 'member list changed');
      return {};
    }),
  });
}

function memberLease({ leases }: ControllerDeps, name: string): MemberLease[] {
  const lease = leases.lease(name);
  return lease === undefined ? [] : [{ node: name, isHeld: lease.holder !== '', uses: lease.uses }];
}

function newMap(data: Record<string, string>): ConfigMap {
  return {
    apiVersion: apiVersionOf(configMapRef),
    kind: configMapRef.kind,
    metadata: { name: MEMBERS_CONFIG_MAP, namespace: NODE_LEASE_NAMESPACE },
    data,
  };
}
