import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createControllers } from '../../controllers/index.ts';
import { createInformers } from '../../controllers/informers.ts';
import type { EtcdOptions } from '../../etcd/client.ts';
import { createEtcdLeaderLease } from '../../etcd/leader-lease.ts';
import { createFencer } from '../../fencing/fencer.ts';
import { createEventRecorder } from '../../kube/event-recorder.ts';
import { createObjectStore } from '../../kube/object-store.ts';
import type { Clock } from '../../ports/clock.ts';
import { sleep } from '../../ports/clock.ts';
import { HostlerError } from '../../ports/errors.ts';
import type { LeaderLease } from '../../ports/leader-lease.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { readFencingSecret } from './fencing-secret.ts';
import { type ElectionEnd, runElection } from '../../reconcile/election.ts';
import { createManager, type Manager } from '../../reconcile/manager.ts';
import type { Runnable } from '../../reconcile/runnable.ts';

export interface ControllersOptions {
  kubeConfig: string;
  /** Base URLs of API servers; empty for the kubeconfig's own. */
  servers: readonly string[];
  etcd: Omit<EtcdOptions, 'logger'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

export interface ControllersProcess {
  readonly manager: Pick<Manager, 'ready' | 'unready'>;
  /**
   * Informers always, controllers while this replica leads, until `signal` is aborted.
   * @throws when the leader lease is lost: what this process knows is old then, so it is to exit
   */
  run(signal: AbortSignal): Promise<void>;
}

/** The etcd key of the leader. */
export const LEADER_KEY = '/hostler/leader';
const FLUSH_MS = 1_000;

export function createControllersProcess(options: ControllersOptions): ControllersProcess {
  const { clock, logger, metrics } = options;
  const store = createObjectStore({ ...options, userAgent: 'hostler-controller' });
  const events = createEventRecorder({
    store,
    clock,
    logger,
    metrics,
    source: { component: 'hostler-controller' },
  });
  const informers = createInformers({ store, clock, logger, metrics });
  const readSecret = (name: string, signal: AbortSignal) => readFencingSecret(store, name, signal);
  const deps = {
    store,
    informers,
    events,
    fencer: createFencer({ clock, readSecret }),
    clock,
    logger,
    metrics,
  };
  const lease = createEtcdLeaderLease({ ...options.etcd, logger, key: LEADER_KEY });
  const manager = createManager({ clock, logger });
  manager.add(...Object.values(informers));
  // Later than the informers: who cannot read the API is no use as a leader.
  manager.add(
    electionPart(options, lease, async (isLeading, signal) => {
      const working = createManager({ clock, logger });
      working.add(...createControllers(deps, isLeading));
      await working.run(signal);
    }),
  );
  return {
    manager,
    async run(signal) {
      try {
        await manager.run(signal);
      } finally {
        await flushed(events, clock);
        events.close();
        store.close();
        await lease.close();
      }
    },
  };
}

async function flushed(events: { flush(): Promise<void> }, clock: Clock): Promise<void> {
  const done = new AbortController();
  await Promise.race([events.flush(), sleep(clock, FLUSH_MS, done.signal)]);
  done.abort();
}

function electionPart(
  { clock, logger, metrics }: ControllersOptions,
  lease: LeaderLease,
  lead: (isLeading: () => boolean, signal: AbortSignal) => Promise<void>,
): Runnable {
  return {
    name: 'leader election',
    async start(signal) {
      const holder = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
      const end = await runElection(
        {
          lease,
          holder,
          clock,
          logger,
          metrics,
          lead: (term, leading) => lead(() => term.isLeading(), leading),
        },
        signal,
      );
      failUnlessStopped(end);
    },
  };
}

function failUnlessStopped(end: ElectionEnd): void {
  switch (end.reason) {
    case 'stopped':
    case 'finished':
      return;
    case 'lost':
      throw new HostlerError('Aborted', `This replica does not lead any more: ${end.cause}`);
    case 'failed':
      throw end.error;
  }
}
