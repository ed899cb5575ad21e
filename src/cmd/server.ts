import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { parseServerConfig, type ServerFlags } from '../config/server.ts';
import { systemClock } from '../ports/clock.ts';
import { createLogger, type LogLevel } from '../telemetry/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { runServer } from './control-plane/run-server.ts';
import { runUntilStopped } from './control-plane/signals.ts';

type Flags = ServerFlags & { logLevel: LogLevel };

/** `hostler server`: API server and controllers in one process, and an etcd where asked for. */
export function serverCommand(): Command {
  return new Command('server')
    .description('run the API server and the controllers in one process')
    .requiredOption(
      '--data-dir <folder>',
      'where certificates, admin.kubeconfig and an embedded etcd are kept',
    )
    .option('--listen <addresses>', 'where the API is served: ADDRESS:PORT,unix:/path', '127.0.0.1:6443')
    .option('--server-name <names>', "further names and addresses of the server's certificate")
    .option(
      '--advertise-url <url>',
      'what admin.kubeconfig points to (default: the first address of --listen)',
    )
    .option('--etcd <urls>', "'embedded', or the etcd to use: https://…,https://…", 'embedded')
    .option('--etcd-ca <file>', 'CA certificate of etcd')
    .option('--etcd-cert <file>', 'client certificate for etcd')
    .option('--etcd-key <file>', 'its key')
    .option('--etcd-binary <file>', 'the etcd program for --etcd embedded (default: etcd)')
    .option(
      '--etcd-members <members>',
      'for --etcd embedded: 3, 5 or 7 etcds below as many servers are one store: cp-1=https://10.0.0.1:2380,…',
    )
    .option('--etcd-name <name>', 'which of --etcd-members this one is')
    .option('--etcd-join', 'its first start, in place of a member that was lost: the others run already')
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action((flags: Flags, command: Command) =>
      runUntilStopped((signal) => run(flags, command.parent?.version() ?? '', signal)),
    );
}

async function run(flags: Flags, hostlerVersion: string, signal: AbortSignal): Promise<void> {
  const config = parseServerConfig({ ...flags, dataDir: resolve(flags.dataDir) });
  await runServer(
    config,
    {
      clock: systemClock,
      logger: createLogger(flags.logLevel),
      metrics: createMetrics(),
      hostlerVersion,
      onReady: ({ url, kubeconfig }) =>
        process.stdout.write(`Hostler is ready at ${url}: export KUBECONFIG=${kubeconfig}\n`),
    },
    signal,
  );
}
