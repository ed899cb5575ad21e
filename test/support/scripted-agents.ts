import { setTimeout as pause } from 'node:timers/promises';
import { type Container, containerKind } from '../../src/crds/container.ts';
import { type Condition, setCondition } from '../../src/crds/conditions.ts';
import { HOST_FINALIZER, NODE_LEASE_NAMESPACE } from '../../src/crds/kind.ts';
import {
  type ConfigMap,
  configMapRef,
  type Lease,
  leaseRef,
  MEMBERS_CONFIG_MAP,
} from '../../src/crds/lease.ts';
import { type Node, nodeKind, type NodeStatus } from '../../src/crds/node.ts';
import { type StoragePool, storagePoolKind } from '../../src/crds/storage-pool.ts';
import { hasCode } from '../../src/ports/errors.ts';
import type { FailoverTiming } from '../../src/plan/failover/timing.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { isSameJson } from '../../src/reconcile/same-json.ts';
import { node, poolOn } from './cluster-objects.ts';
import { nextLease } from './lease-agents.ts';

/**
 * Agents without hosts: each asks for its lease and renews it, registers its Node, reports every StoragePool that there is, and lets go of
 * deleted containers. For tests of the control plane over a real API.
 */
export interface ScriptedAgents {
  /** From now on this agent says and does nothing. */
  silence(name: string): void;
  resume(name: string): void;
  stop(): Promise<void>;
}

const BEAT_MS = 400;
/** Short, so that tests are. */
export const SCRIPTED_TIMING: FailoverTiming = {
  renewMs: BEAT_MS,
  durationMs: 3_000,
  fenceDelayMs: 1_000,
  suspectAfterMs: 2_000,
  witnessMarginMs: 100,
};

export function startAgents(store: ObjectStore, names: readonly string[]): ScriptedAgents {
  const stop = new AbortController();
  const silent = new Set<string>();
  const beat = async (name: string): Promise<void> => {
    const known: Known = { version: undefined, repliedMs: 0 };
    while (!stop.signal.aborted) {
      if (!silent.has(name)) await act(store, name, known, stop.signal);
      await pause(BEAT_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const running = names.map(beat);
  return {
    silence: (name) => void silent.add(name),
    resume: (name) => void silent.delete(name),
    async stop() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

interface Known {
  version: string | undefined;
  repliedMs: number;
}

/** Whatever fails is done again with the next beat. */
async function act(store: ObjectStore, name: string, known: Known, signal: AbortSignal): Promise<void> {
  try {
    const isHeld = await renew(store, name, known, signal);
    if (isHeld) await report(store, name, signal);
    await letGo(store, name, signal);
  } catch (error) {
    if (!hasCode(error, 'Conflict', 'NotFound', 'Aborted', 'Unavailable', 'Timeout')) throw error;
  }
}

/** @returns whether the lease is held */
async function renew(store: ObjectStore, name: string, known: Known, signal: AbortSignal): Promise<boolean> {
  const key = { namespace: NODE_LEASE_NAMESPACE, name };
  const held = await store.get<Lease>(leaseRef, key, signal);
  const map = await store.get<ConfigMap>(
    configMapRef,
    { namespace: NODE_LEASE_NAMESPACE, name: MEMBERS_CONFIG_MAP },
    signal,
  );
  const next = nextLease(name, held, {
    nowMs: Date.now(),
    members: map?.data?.['version'],
    timing: SCRIPTED_TIMING,
    // Of the version that the renewal is conditional on, which was first read now.
    sinceReplyMs: held?.metadata.resourceVersion === known.version ? performance.now() - known.repliedMs : 0,
  });
  if (next === undefined) return false;
  const written = await (held === undefined
    ? store.create(leaseRef, next, signal)
    : store.update(leaseRef, next, signal));
  known.version = written.metadata.resourceVersion;
  known.repliedMs = performance.now();
  return next.spec?.holderIdentity === name;
}

async function report(store: ObjectStore, name: string, signal: AbortSignal): Promise<void> {
  const pools = (await store.list<StoragePool>(storagePoolKind, {}, signal)).items;
  const { uid: _, creationTimestamp: __, generation: ___, ...metadata } = node(name).metadata;
  const own =
    (await store.get<Node>(nodeKind, { name }, signal)) ??
    (await store.create<Node>(nodeKind, { ...node(name), metadata }, signal));
  const [ready] = node(name).status?.conditions ?? [];
  const { lastTransitionTime, ...said } = ready as Condition;
  const status: NodeStatus = {
    ...own.status,
    ...node(name).status,
    conditions: setCondition(own.status?.conditions, said, lastTransitionTime),
    pools: pools
      .filter((pool) => pool.metadata.deletionTimestamp === undefined)
      .map((pool) => poolOn(pool.metadata.name, { poolUid: pool.metadata.uid as string, total: '100Gi' })),
  };
  if (isSameJson(own.status, status)) return;
  await store.updateStatus(nodeKind, { ...own, status }, signal);
}

async function letGo(store: ObjectStore, name: string, signal: AbortSignal): Promise<void> {
  const { items } = await store.list<Container>(
    containerKind,
    { fieldSelector: `status.nodeName=${name}` },
    signal,
  );
  for (const { metadata } of items) {
    if (metadata.deletionTimestamp === undefined) continue;
    const finalizers = (metadata.finalizers ?? []).filter((one) => one !== HOST_FINALIZER);
    const body = { metadata: { resourceVersion: metadata.resourceVersion, finalizers } };
    await store.mergePatch(
      containerKind,
      { namespace: metadata.namespace ?? '', name: metadata.name },
      { body },
      signal,
    );
  }
}
