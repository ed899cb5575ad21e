import { join } from 'node:path';
import { ensureEtcdPki } from '../../apiserver/pki/etcd-pki.ts';
import type { ServerConfig } from '../../config/server.ts';
import type { EtcdOptions } from '../../etcd/client.ts';
import { type EmbeddedEtcdEnd, startEmbeddedEtcd } from '../../etcd/process.ts';
import type { Clock } from '../../ports/clock.ts';
import { HostlerError, messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { readEtcdOptions } from './etcd-options.ts';

/** The store of a server: an etcd of its own below the data folder, or one that somebody else runs. */
export interface ServerEtcd {
  options: Omit<EtcdOptions, 'logger'>;
  /** Ends the embedded one; idempotent. */
  stop(): Promise<void>;
  /** Rejects when the embedded one is given up; otherwise never settles before `stop`. */
  failed: Promise<never>;
}

interface Surroundings {
  clock: Clock;
  logger: Logger;
}

export async function openEtcd(
  { dataDir, etcd }: Pick<ServerConfig, 'dataDir' | 'etcd'>,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<ServerEtcd> {
  if (etcd.kind === 'embedded') return await startOwn(dataDir, etcd.binary, surroundings, signal);
  const options = await readEtcdOptions(etcd);
  return { options, stop: () => Promise.resolve(), failed: new Promise(() => {}) };
}

async function startOwn(
  dataDir: string,
  binary: string | undefined,
  { clock, logger }: Surroundings,
  signal: AbortSignal,
): Promise<ServerEtcd> {
  const pki = await ensureEtcdPki({
    dir: join(dataDir, 'pki', 'etcd'),
    serverNames: ['127.0.0.1', 'localhost'],
    clock,
  });
  const etcd = await startEmbeddedEtcd({
    dataDir: join(dataDir, 'etcd'),
    ...(binary === undefined ? {} : { binary }),
    listenClientUrl: 'https://127.0.0.1:0',
    tls: { ...pki.server, trustedCaFile: pki.caFile },
    logger: logger.child({ part: 'etcd' }),
    signal,
  }).catch((error: unknown) => {
    throw explain(error, binary);
  });
  const failed = etcd.exited.then((end: EmbeddedEtcdEnd): Promise<never> =>
    end.reason === 'stopped'
      ? new Promise(() => {})
      : Promise.reject(new HostlerError('Unavailable', `etcd does not stay up: ${end.message}`)),
  );
  failed.catch(() => undefined);
  const { certificatePem, keyPem } = pki.clientPair;
  return {
    options: {
      endpoints: [etcd.endpoint],
      tls: { ca: Buffer.from(pki.caPem), cert: Buffer.from(certificatePem), key: Buffer.from(keyPem) },
    },
    stop: () => etcd.stop(),
    failed,
  };
}

function explain(error: unknown, binary: string | undefined): unknown {
  if (!messageOf(error).includes('ENOENT')) return error;
  return new HostlerError(
    'Unavailable',
    binary === undefined
      ? 'There is no etcd on this machine. Install it (Debian: apt-get install etcd-server), name one with --etcd-binary, or use --etcd https://…'
      : `There is no etcd at ${binary} (--etcd-binary)`,
    { cause: error },
  );
}
