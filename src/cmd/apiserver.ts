import { Command, Option } from 'commander';
import { adminKubeconfigPath } from '../apiserver/pki/folders.ts';
import { createApiServer } from '../apiserver/server.ts';
import { type ApiServerFlags, parseStandaloneConfig } from '../config/apiserver.ts';
import type { EtcdFlags } from '../config/etcd.ts';
import { createEtcdStorage } from '../etcd/storage.ts';
import { sleep, systemClock } from '../ports/clock.ts';
import { createLogger, type LogLevel } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { readEtcdOptions } from './control-plane/etcd-options.ts';
import { runUntilStopped } from './control-plane/signals.ts';

type Flags = ApiServerFlags & EtcdFlags & { logLevel: LogLevel };

const READY_POLL_MS = 10;

/** `hostler apiserver`: the API server alone, over an etcd that somebody else runs; any number of replicas. */
export function apiserverCommand(): Command {
  return new Command('apiserver')
    .description('run the API server alone, over an etcd that is already there')
    .requiredOption('--data-dir <folder>', 'where certificates and admin.kubeconfig are kept')
    .requiredOption('--listen <addresses>', 'host:port and unix:/path, with commas between them')
    .option('--server-name <names>', "further DNS names and IP addresses of the server's certificate")
    .option('--advertise-url <url>', 'what admin.kubeconfig points to, instead of the first address')
    .requiredOption('--etcd <urls>', 'the etcd that everything is stored on: https://…,https://…')
    .option('--etcd-ca <file>', 'CA certificate of etcd')
    .option('--etcd-cert <file>', 'client certificate for etcd')
    .option('--etcd-key <file>', 'its key')
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action((flags: Flags, command: Command) =>
      runUntilStopped((signal) => runApiServer(flags, command.parent?.version(), signal)),
    );
}

async function runApiServer(flags: Flags, version: string | undefined, signal: AbortSignal): Promise<void> {
  const { etcd, ...config } = parseStandaloneConfig(flags);
  const logger = createLogger(flags.logLevel, { process: 'apiserver' });
  const metrics = createMetrics();
  const storage = createEtcdStorage({ ...(await readEtcdOptions(etcd)), logger });
  const server = createApiServer(
    { ...config, ...(version === undefined ? {} : { hostlerVersion: version }) },
    { storage, clock: systemClock, logger, metrics, metricsText: () => metrics.text() },
  );
  try {
    const { urls } = await server.start(signal);
    while (!signal.aborted && !server.ready()) await sleep(systemClock, READY_POLL_MS, signal);
    if (!signal.aborted) process.stdout.write(readyLine(urls, config.dataDir));
    await stopped(signal);
  } finally {
    await server.stop();
    await storage.close();
  }
}

function readyLine(urls: readonly string[], dataDir: string): string {
  return `The API is ready at ${urls.join(', ')}: export KUBECONFIG=${adminKubeconfigPath(dataDir)}\n`;
}

function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
