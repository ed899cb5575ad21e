import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { type Agent, createAgent } from '../agent/agent.ts';
import { openHostFolders } from '../agent/pools/host-folders.ts';
import { openDesiredStateFile } from '../agent/state/desired-state-file.ts';
import { openKnownPeersFile } from '../agent/state/known-peers-file.ts';
import { type AgentConfig, type AgentFlags, type DaemonAddress, parseAgentConfig } from '../config/agent.ts';
import { createIncusDriver } from '../incus/driver.ts';
import type { Endpoint } from '../incus/endpoint.ts';
import { type ClientCertificate, createClientCertificate } from '../kube/client-certificate.ts';
import { createEventRecorder } from '../kube/event-recorder.ts';
import { createObjectStore } from '../kube/object-store.ts';
import { configPatternFault, DEFAULT_ALLOWED_CONFIG } from '../plan/lifecycle/config-filter.ts';
import { sleep, systemClock as clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { startTelemetryServer } from '../telemetry/http.ts';
import { createLogger, type LogLevel } from '../telemetry/log.ts';
import { createMetrics, type PrometheusMetrics } from '../telemetry/metrics.ts';
import { openGuard } from './agent/guard-process.ts';
import { openPeering } from './agent/peering.ts';
import { runUntilStopped } from './control-plane/signals.ts';

type Flags = AgentFlags & { logLevel: LogLevel };

const FLUSH_MS = 1_000;
/** With several API servers, the next one has to be reached before the lease runs out. */
const LEASE_CONNECT_MS = 1_000;
const DESIRED_STATE = 'desired-state.json';
const KNOWN_PEERS = 'peers.json';
const CLIENT_CERTIFICATE = 'client.pem';

/** `hostler agent`: one on each host. Its end, clean or not, stops no container. */
export function agentCommand(): Command {
  const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];
  return new Command('agent')
    .description("run the agent of one host: it makes the host's daemon run what is placed there")
    .requiredOption('--node-name <name>', 'name of its Node')
    .requiredOption('--kubeconfig <file>', 'how to reach the API, and as whom')
    .option('--server <urls>', "API servers to try in turn, instead of the kubeconfig's")
    .requiredOption(
      '--incus <address>',
      'the daemon, Incus or LXD: unix:/path/to/unix.socket or https://host:8443',
    )
    .option('--incus-ca <file>', "the daemon's certificate, for https")
    .option('--incus-cert <file>', 'certificate of a client that the daemon trusts, for https')
    .option('--incus-key <file>', 'its key')
    .requiredOption('--state-dir <folder>', 'where the agent keeps what it must remember')
    .option(
      '--accept-cluster <uid>',
      "belong to this cluster from now on, although its store is another or an older one: the uid that the node's condition Ready names",
    )
    .option('--label <key=value>', 'label of the Node when it is registered; may be repeated', repeated)
    .option(
      '--default-network <name>',
      "network of the daemon for containers that name none; 'none' for no interface",
      'incusbr0',
    )
    .option(
      '--allow-config <pattern>',
      "key that spec.config may have, or a.* for all below it; may be repeated; 'default' stands for the default list",
      repeated,
    )
    .option(
      '--remote <name=url>',
      'image server that references may name, besides images; name=incus:url for other protocols than simplestreams; may be repeated',
      repeated,
    )
    .option(
      '--guard <how>',
      'start: start a guard where none runs; external: something else does; none: nothing here is recovered elsewhere by itself',
      'start',
    )
    .option('--watchdog <device>', 'for the guard that is started: /dev/watchdog')
    .option(
      '--peer-listen <address:port>',
      "where the other agents ask this one in an outage of the API, over TLS with the cluster's certificates; none: nowhere",
      '0.0.0.0:9465',
    )
    .option('--status-interval <duration>', "how often the host's own state is looked at", '20s')
    .option('--resync <duration>', 'how often everything is looked at although nothing was reported', '5m')
    .option('--parallel-creates <count>', 'containers that are created at once', '8')
    .option('--listen <address:port>', 'serve /metrics, /livez and /readyz there, over plain HTTP')
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (flags: Flags, command: Command) => {
      const config = parseAgentConfig(flags);
      const allowedConfig = allowedConfigOf(config);
      const agentVersion = command.parent?.version() ?? '';
      await runUntilStopped((signal) =>
        runAgent({ ...config, allowedConfig, agentVersion }, flags.logLevel, signal),
      );
    });
}

/** @throws Error that names a pattern which is none */
function allowedConfigOf({ allowedConfig = ['default'] }: AgentConfig): string[] {
  return allowedConfig.flatMap((pattern) => {
    if (pattern === 'default') return [...DEFAULT_ALLOWED_CONFIG];
    const fault = configPatternFault(pattern);
    if (fault !== undefined) throw new Error(`--allow-config: ${fault}`);
    return [pattern];
  });
}

async function runAgent(
  config: AgentConfig & { allowedConfig: string[]; agentVersion: string },
  logLevel: LogLevel,
  signal: AbortSignal,
): Promise<void> {
  const { nodeName, stateDir } = config;
  const logger = createLogger(logLevel, { process: 'agent', node: nodeName });
  const metrics = createMetrics();
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const certificate = createClientCertificate({ ...config, file: join(stateDir, CLIENT_CERTIFICATE), clock });
  const adapters = openAdapters(config, certificate, { logger, metrics });
  certificate.onChange(() => {
    adapters.store.reconnect();
    adapters.leaseStore.reconnect();
  });
  const peering = await openPeering(config, certificate, logger);
  const agent = createAgent(
    { ...config, ...peering.options },
    {
      ...adapters,
      certificate,
      clock,
      logger,
      metrics,
      folders: openHostFolders(clock),
      desiredState: openDesiredStateFile(join(stateDir, DESIRED_STATE)),
      knownPeers: openKnownPeersFile(join(stateDir, KNOWN_PEERS)),
      ...peering.deps,
      ...openGuard(config),
    },
  );
  const telemetry = await serveTelemetry(config, agent, { logger, metrics });
  const witness = await peering.serve(agent);
  try {
    await agent.run(signal);
  } finally {
    await witness?.close();
    await telemetry?.close();
    await flushed(adapters.events);
    adapters.events.close();
    adapters.store.close();
    adapters.leaseStore.close();
    await adapters.host.close();
  }
}

interface Observers {
  logger: Logger;
  metrics: PrometheusMetrics;
}

function openAdapters(
  config: AgentConfig,
  clientCertificate: ClientCertificate,
  { logger, metrics }: Observers,
) {
  const { kubeConfig, servers, nodeName, daemon, remotes } = config;
  const access = {
    kubeConfig,
    clientCertificate,
    servers,
    userAgent: 'hostler-agent',
    clock,
    logger,
    metrics,
  };
  const store = createObjectStore(access);
  const leaseStore = createObjectStore({
    ...access,
    connectTimeoutMs: LEASE_CONNECT_MS,
    resetOnTimeout: true,
  });
  const source = { component: 'hostler-agent', host: nodeName };
  return {
    store,
    leaseStore,
    events: createEventRecorder({ store, source, clock, logger, metrics }),
    host: createIncusDriver({ endpoint: endpointOf(daemon), remotes, clock, logger, metrics }),
  };
}

function endpointOf(daemon: DaemonAddress): Endpoint {
  if ('socketPath' in daemon) return daemon;
  const { url, caFile, certFile, keyFile } = daemon;
  return { url, ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

async function serveTelemetry({ listen }: AgentConfig, agent: Agent, { logger, metrics }: Observers) {
  if (listen === undefined) return undefined;
  const check = (): string | undefined => {
    const names = agent.unready();
    return names.length === 0 ? undefined : `not ready: ${names.join(', ')}`;
  };
  const telemetry = await startTelemetryServer({
    listen,
    metrics,
    checks: [{ name: 'started', check }],
    logger,
  });
  logger.info({ url: telemetry.url }, 'serving metrics and probes');
  return telemetry;
}

/** What was to be told is told, if the API takes it now. */
async function flushed(events: { flush(): Promise<void> }): Promise<void> {
  const done = new AbortController();
  await Promise.race([events.flush(), sleep(clock, FLUSH_MS, done.signal)]);
  done.abort();
}
