import { createControllers } from '../../src/controllers/index.ts';
import { createInformers } from '../../src/controllers/informers.ts';
import { findCondition } from '../../src/crds/conditions.ts';
import { NODE_LEASE_NAMESPACE } from '../../src/crds/kind.ts';
import type { Lease } from '../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../src/crds/node.ts';
import type { KubeObject, ObjectReference } from '../../src/crds/object.ts';
import type { Timer } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { Fencer } from '../../src/ports/fencer.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { expectNothingLeft } from './nothing-left.ts';
import { createFakeObjectStore, type FakeObjectStore } from './fake-object-store.ts';

/** All controllers over the API in memory, on a clock that stands still. */
export interface ControllerTrial {
  readonly clock: FakeClock;
  readonly store: FakeObjectStore;
  /** Events, as `Warning FailedScheduling default/web: message`. */
  readonly events: string[];
  /** What a fencing device does; as it is, none confirms anything. */
  fence: (node: string, signal: AbortSignal) => Promise<void>;
  /** Whether the replica leads; writes are refused when it does not. */
  isLeading: boolean;
  /** Lets everything that is due within `ms` happen, and all that follows from it. */
  settle(ms?: number): Promise<void>;
  /** Ends the controllers and begins anew with others, as a change of leader does. */
  changeLeader(): Promise<void>;
  /** Ends the controllers, and checks that nothing goes on. */
  stop(): Promise<void>;
  /** Ends the controllers, whatever else is on the clock. */
  end(): Promise<void>;
}

/**
 * Nodes that have an agent (a condition Ready) but no Lease among `objects` hold one that is renewed all the time, by no
 * write that counts.
 */
export function startControllers(...objects: KubeObject[]): Promise<ControllerTrial> {
  return startTrial(createControllers, objects);
}

/** Some controllers alone. */
export async function startTrial(
  make: typeof createControllers,
  objects: readonly KubeObject[],
): Promise<ControllerTrial> {
  const clock = createFakeClock();
  const store = createFakeObjectStore(clock);
  store.seed(...objects);
  const leased = new Set(objects.filter(({ kind }) => kind === 'Lease').map(({ metadata }) => metadata.name));
  let renewing: Timer;
  const renewAll = (): void => {
    for (const { metadata, status } of store.all<Node>(nodeKind)) {
      const hasAgent = findCondition(status?.conditions, 'Ready') !== undefined;
      if (hasAgent && !leased.has(metadata.name)) store.seed(heldLease(metadata.name, clock.nowMs()));
    }
    renewing = clock.schedule(1_000, renewAll);
  };
  renewAll();
  const events: string[] = [];
  const informers = createInformers({ store, clock, logger: silentLogger, metrics: noMetrics });
  const always = new AbortController();
  const informing = Object.values(informers).map((informer) => informer.start(always.signal));
  let term = new AbortController();
  let working: Promise<void>[] = [];

  const recorder = {
    record(about: ObjectReference, type: string, reason: string, message: string) {
      const name = about.namespace === undefined ? about.name : `${about.namespace}/${about.name}`;
      events.push(`${type} ${reason} ${name}: ${message}`);
    },
  };
  const fencer: Fencer = { fence: (name, _, signal) => trial.fence(name, signal) };
  const lead = (): void => {
    term = new AbortController();
    const deps = {
      store,
      informers,
      events: recorder,
      fencer,
      clock,
      logger: silentLogger,
      metrics: noMetrics,
    };
    const controllers = make(deps, () => trial.isLeading);
    working = controllers.map((controller) => controller.start(term.signal));
  };
  const depose = async (): Promise<void> => {
    term.abort();
    await clock.advance(0);
    await Promise.all(working);
  };
  const trial: ControllerTrial = {
    clock,
    store,
    events,
    isLeading: true,
    fence: () => Promise.reject(new HostlerError('Unavailable', 'the device does not answer')),
    async settle(ms = 300) {
      for (let step = 0; step < 4; step += 1) await clock.advance(ms / 4);
    },
    async changeLeader() {
      await depose();
      lead();
    },
    async end() {
      await depose();
      renewing.cancel();
      always.abort();
      await clock.advance(0);
      await Promise.all(informing);
    },
    async stop() {
      await trial.end();
      expectNothingLeft({ clock, store });
    },
  };
  await clock.advance(0);
  if (!Object.values(informers).every((informer) => informer.hasSynced())) throw new Error('not synced');
  lead();
  return trial;
}

function heldLease(name: string, nowMs: number): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: NODE_LEASE_NAMESPACE },
    spec: {
      holderIdentity: name,
      leaseDurationSeconds: 5,
      leaseTransitions: 1,
      renewTime: new Date(nowMs).toISOString(),
    },
  };
}
