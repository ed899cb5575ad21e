import { type Clock, sleep, type Timer } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { HostDriver, HostEvent, Instance } from '../ports/host-driver.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { createController } from '../reconcile/controller.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import { createTrigger, periodicSource } from '../reconcile/source.ts';
import { keyOfInstance } from './containers/keys.ts';

/**
 * Hears from the daemon: follows its events, and lists its instances whenever events may have been missed.
 */
export interface HostWatch {
  readonly runnables: readonly Runnable[];
  /** Lists the instances soon. */
  list(): void;
  /** How often events were (re)connected: changes when the daemon may have been another one meanwhile. */
  connections(): number;
  /**
   * A look at the instance of the container `key` begins.
   * @returns to be called when it has succeeded: what was reported before it began needs no look of its own
   */
  lookBegins(key: string): () => void;
  /**
   * Something is done to that instance, and then looked at: what is reported meanwhile waits for that look.
   * @returns to be called when it is done
   */
  actionBegins(key: string): () => void;
}

export interface HostWatchDeps {
  host: Pick<HostDriver, 'events' | 'listInstances'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** How often instances are listed although nothing was missed. */
  resyncMs: number;
  onResync(): void;
  /** Something happened to the instance of the container `key`. */
  onEvent(key: string): void;
  onInstances(instances: readonly Instance[]): void;
}

const RECONNECT_MS = 1_000;
const ECHO_MS = 1_000;
/** Something may have ended that is to run. */
const URGENT = new Set<HostEvent['type']>(['stopped', 'restarted', 'deleted']);
const ALL = 'all';

export function createHostWatch(deps: HostWatchDeps): HostWatch {
  const { host, clock, logger, metrics } = deps;
  const trigger = createTrigger();
  /** Looks that are due; another entry for each event, so that a look tells what came before it from what came after. */
  const echoes = new Map<string, { timer: Timer }>();
  const acting = new Set<string>();
  let connections = 0;

  const heed = (event: HostEvent): void => {
    metrics.count('hostler_agent_host_events_total', { type: event.type });
    if (event.type === 'resync') {
      connections += 1;
      trigger.enqueue(ALL);
      deps.onResync();
      return;
    }
    const key = keyOfInstance(event.name);
    if (key === undefined) return;
    // A stop that the agent itself has asked for, and after which it looks.
    const isOwnStop = event.type === 'stopped' && event.requested && acting.has(key);
    if (URGENT.has(event.type) && !isOwnStop) deps.onEvent(key);
    else later(key);
  };

  /** Most often such an event only echoes what the agent itself is doing, and looks at when it is done: that look will do. */
  const later = (key: string): void => {
    echoes.set(key, { timer: echoes.get(key)?.timer ?? clock.schedule(ECHO_MS, () => due(key)) });
  };

  const due = (key: string): void => {
    echoes.delete(key);
    if (acting.has(key)) later(key);
    else deps.onEvent(key);
  };

  const lookBegins = (key: string) => {
    const before = echoes.get(key);
    return (): void => {
      if (before === undefined || echoes.get(key) !== before) return;
      before.timer.cancel();
      echoes.delete(key);
    };
  };

  const actionBegins = (key: string) => {
    acting.add(key);
    return (): void => void acting.delete(key);
  };

  const follow: Runnable = {
    name: 'host-events',
    ready: () => connections > 0,
    async start(signal) {
      while (!signal.aborted) {
        try {
          for await (const event of host.events(signal)) heed(event);
        } catch (error) {
          if (!signal.aborted) logger.warn({ error: messageOf(error) }, 'the events of the daemon broke off');
        }
        await sleep(clock, RECONNECT_MS, signal);
      }
      for (const { timer } of echoes.values()) timer.cancel();
    },
  };

  const list = createController({
    ...deps,
    name: 'instances',
    sources: [trigger, periodicSource(clock, deps.resyncMs, () => [ALL])],
    async reconcile(_key, signal) {
      const instances = await host.listInstances(signal);
      metrics.set('hostler_agent_instances', instances.length);
      deps.onInstances(instances);
      return {};
    },
  });

  return {
    runnables: [follow, list],
    list: () => trigger.enqueue(ALL),
    connections: () => connections,
    lookBegins,
    actionBegins,
  };
}
