import { createAgent, type AgentDeps, type AgentOptions } from '../../src/agent/agent.ts';
import { openHostFolders } from '../../src/agent/pools/host-folders.ts';
import { openDesiredStateFile } from '../../src/agent/state/desired-state-file.ts';
import { createEventRecorder } from '../../src/kube/event-recorder.ts';
import { DEFAULT_ALLOWED_CONFIG } from '../../src/plan/lifecycle/config-filter.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { silentLogger as logger } from '../../src/ports/logger.ts';
import { noMetrics as metrics } from '../../src/ports/metrics.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import type { FakeHost } from './fake-host.ts';

/** A real agent in this process, on the machine's clock and before a real API, on a host in memory. */
export interface TestAgentParts {
  nodeName: string;
  host: FakeHost;
  store: ObjectStore;
  /** @defaultValue `store` */
  leaseStore?: AgentDeps['leaseStore'];
  /** Where it keeps what it has to know. */
  stateFile: string;
}

/** @returns ends it; idempotent */
export function startTestAgent(
  { nodeName, host, store, leaseStore = store, stateFile }: TestAgentParts,
  more: Partial<AgentOptions> = {},
): () => Promise<void> {
  const source = { component: 'hostler-agent', host: nodeName };
  const events = createEventRecorder({ clock, logger, metrics, store, source });
  const agent = createAgent(
    {
      nodeName,
      labels: {},
      agentVersion: 'test',
      defaultNetwork: 'incusbr0',
      allowedConfig: DEFAULT_ALLOWED_CONFIG,
      parallelCreates: 4,
      statusMs: 2_000,
      resyncMs: 10_000,
      ...more,
    },
    {
      clock,
      logger,
      metrics,
      store,
      leaseStore,
      knownPeers: { read: async () => undefined, write: async () => {} },
      host,
      events,
      folders: openHostFolders(clock),
      desiredState: openDesiredStateFile(stateFile),
    },
  );
  const stop = new AbortController();
  const ended = agent.run(stop.signal);
  return async () => {
    stop.abort();
    await ended;
    events.close();
  };
}
