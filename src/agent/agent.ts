import type { Clock } from '../ports/clock.ts';
import type { EventRecorder } from '../ports/event-recorder.ts';
import type { HostDriver } from '../ports/host-driver.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Guard } from '../ports/guard.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { OwnCertificate } from '../ports/own-certificate.ts';
import type { Peers } from '../ports/peers.ts';
import { createManager } from '../reconcile/manager.ts';
import { createParts } from './parts.ts';
import type { HostFolders } from './pools/host-folders.ts';
import type { KnownPeersFile } from './node/witnesses.ts';
import type { DesiredStateFile } from './state/desired-state-file.ts';

/**
 * The node agent: makes one host run the containers that the leader has placed on it, and says what became of them. It
 * writes its own Node and lease, the status and the finalizer of its containers, and Events; nothing else. What it stops
 * or removes, it does because the API said so in so many words: its own end, an unreachable API, or an unreachable daemon
 * never stop a container.
 */
export interface Agent {
  /**
   * Runs until `signal` is aborted; containers run on.
   * @throws Unavailable when the desired state on disk cannot be read
   */
  run(signal: AbortSignal): Promise<void>;
  /** Whether the API and the daemon were heard and the lease is held. */
  ready(): boolean;
  /** The names of the parts that are not ready. */
  unready(): string[];
  /** What a peer that asks is told: for how long this node has been cut off; not positive: it is not. */
  cutOffForMs(): number;
}

export interface AgentOptions {
  nodeName: string;
  /** Labels of the Node when it is registered. */
  labels: Readonly<Record<string, string>>;
  agentVersion: string;
  /** Network of eth0 where a Container names none; absent: no interface. */
  defaultNetwork?: string;
  /** Patterns for spec.config: `limits.processes`, `environment.*`. */
  allowedConfig: readonly string[];
  /** uid of the cluster to belong to from now on, whatever was remembered: once, an operator's word. */
  acceptCluster?: string;
  /** Where the other agents reach this one; absent: nowhere. */
  agentPort?: number;
  /** How many instances are created at once. */
  parallelCreates: number;
  /** How often the host's facts and usage are looked at. */
  statusMs: number;
  /** How often everything is looked at although nothing was reported. */
  resyncMs: number;
}

export interface AgentDeps {
  store: ObjectStore;
  /** On a connection of its own, which is given up when an answer is late: nothing else waits for it, or it for anything. */
  leaseStore: Pick<ObjectStore, 'get' | 'create' | 'update'>;
  /** Absent where the daemon is on another machine: nothing there is fenced by time. */
  guard?: Guard;
  /** Absent: nobody can be asked. */
  peers?: Peers;
  knownPeers: KnownPeersFile;
  /** Renewed by the agent; absent: its connections are made with something else. */
  certificate?: OwnCertificate;
  host: HostDriver;
  folders: HostFolders;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  events: EventRecorder;
  desiredState: DesiredStateFile;
}

export function createAgent(options: AgentOptions, deps: AgentDeps): Agent {
  const { logger, clock } = deps;
  const { book, wake, runnables, cutOffForMs } = createParts(options, deps);
  const manager = createManager({ clock, logger });
  manager.add(...runnables);
  return {
    ready: () => manager.ready(),
    unready: () => manager.unready(),
    cutOffForMs,
    async run(signal) {
      await book.load();
      for (const key of book.keys()) wake(key);
      logger.info({ remembered: book.keys().length }, 'the agent starts');
      try {
        await manager.run(signal);
      } finally {
        await book.close();
        deps.guard?.close();
        deps.peers?.close();
        logger.info({}, 'the agent has stopped; containers run on');
      }
    },
  };
}
