import { Command, Option } from 'commander';
import { type ControllerFlags, parseControllerConfig } from '../config/controller.ts';
import { systemClock } from '../ports/clock.ts';
import { createLogger, type LogLevel } from '../telemetry/log.ts';
import { startTelemetryServer } from '../telemetry/http.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { readEtcdOptions } from './control-plane/etcd-options.ts';
import { createControllersProcess } from './control-plane/run-controllers.ts';
import { runUntilStopped } from './control-plane/signals.ts';

/** `hostler controller`: the controllers alone, against any Kubernetes API; of all replicas one leads. */
export function controllerCommand(): Command {
  return new Command('controller')
    .description('run the controllers alone; of several replicas one leads')
    .requiredOption('--kubeconfig <file>', 'how to reach the API, and as whom')
    .option('--server <urls>', "API servers to try in turn, instead of the kubeconfig's")
    .requiredOption('--etcd <urls>', 'the etcd that the leader is elected on: https://…,https://…')
    .option('--etcd-ca <file>', 'CA certificate of etcd')
    .option('--etcd-cert <file>', 'client certificate for etcd')
    .option('--etcd-key <file>', 'its key')
    .option('--listen <address:port>', 'serve /metrics, /livez and /readyz there, over plain HTTP')
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action((flags: ControllerFlags & { logLevel: LogLevel }) =>
      runUntilStopped((signal) => runController(flags, signal)),
    );
}

async function runController(
  flags: ControllerFlags & { logLevel: LogLevel },
  signal: AbortSignal,
): Promise<void> {
  const config = parseControllerConfig(flags);
  const logger = createLogger(flags.logLevel, { process: 'controller' });
  const metrics = createMetrics();
  const etcd = await readEtcdOptions(config.etcd);
  const controllers = createControllersProcess({ ...config, etcd, clock: systemClock, logger, metrics });
  const telemetry =
    config.listen === undefined
      ? undefined
      : await startTelemetryServer({
          listen: config.listen,
          metrics,
          checks: [{ name: 'started', check: () => unreadyFault(controllers.manager.unready()) }],
          logger,
        });
  if (telemetry !== undefined) logger.info({ url: telemetry.url }, 'serving metrics and probes');
  try {
    await controllers.run(signal);
  } finally {
    await telemetry?.close();
  }
}

function unreadyFault(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `not ready: ${names.join(', ')}`;
}
