import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdPkiFolder, pkiFolder } from '../../apiserver/pki/folders.ts';
import { ensureEtcdPki, type EtcdPki } from '../../apiserver/pki/etcd-pki.ts';
import type { EtcdMembership, ServerConfig } from '../../config/server.ts';
import type { EtcdOptions } from '../../etcd/client.ts';
import { type EmbeddedEtcdEnd, startEmbeddedEtcd } from '../../etcd/process.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import { HostlerError, messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { readCertificate } from '../../apiserver/pki/certificates.ts';
import { readEtcdOptions } from './etcd-options.ts';

/** The store of a server: an etcd of its own below the data folder, or one that somebody else runs. */
export interface ServerEtcd {
  options: Omit<EtcdOptions, 'logger'>;
  /** Ends the embedded one; idempotent. */
  stop(): Promise<void>;
  /** Rejects when the embedded one is given up; otherwise never settles before `stop`. */
  failed: Promise<never>;
}

/** Certificates are issued again with months to spare. */
const RENEWAL_CHECK_MS = 12 * 3_600_000;

interface Surroundings {
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

export async function openEtcd(
  { dataDir, etcd }: Pick<ServerConfig, 'dataDir' | 'etcd'>,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<ServerEtcd> {
  if (etcd.kind === 'embedded') return await startOwn(dataDir, etcd, surroundings, signal);
  const options = await readEtcdOptions(etcd);
  return { options, stop: () => Promise.resolve(), failed: new Promise(() => {}) };
}

async function startOwn(
  dataDir: string,
  { binary, member }: { binary?: string; member?: EtcdMembership },
  { clock, logger, metrics }: Surroundings,
  signal: AbortSignal,
): Promise<ServerEtcd> {
  if (member !== undefined) requireAuthorities(dataDir);
  const makePki = async (): Promise<EtcdPki> => {
    const made = await ensureEtcdPki({
      dir: etcdPkiFolder(dataDir),
      serverNames: ['127.0.0.1', 'localhost'],
      ...(member === undefined ? {} : { peerNames: [peerNameOf(member)] }),
      clock,
    });
    await reportExpiry(made, metrics);
    return made;
  };
  const pki = await makePki();
  const etcd = await startEmbeddedEtcd({
    dataDir: join(dataDir, 'etcd'),
    ...(binary === undefined ? {} : { binary }),
    listenClientUrl: 'https://127.0.0.1:0',
    tls: { ...pki.server, trustedCaFile: pki.caFile },
    ...(member === undefined
      ? {}
      : { member: { ...member, tls: { ...pki.peer, trustedCaFile: pki.caFile } } }),
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
  const stopRenewal = new AbortController();
  const renewing = keepRenewed(makePki, { clock, logger }, stopRenewal.signal);
  const { certificatePem, keyPem } = pki.clientPair;
  return {
    options: {
      endpoints: [etcd.endpoint],
      tls: { ca: Buffer.from(pki.caPem), cert: Buffer.from(certificatePem), key: Buffer.from(keyPem) },
    },
    async stop() {
      stopRenewal.abort();
      await renewing;
      await etcd.stop();
    },
    failed,
  };
}

/** etcd reads its certificates from the disk for each new connection. */
async function keepRenewed(
  makePki: () => Promise<EtcdPki>,
  { clock, logger }: Pick<Surroundings, 'clock' | 'logger'>,
  signal: AbortSignal,
): Promise<void> {
  while (await sleep(clock, RENEWAL_CHECK_MS, signal)) {
    await makePki().catch((error: unknown) =>
      logger.error({ error: messageOf(error) }, 'the certificates of etcd could not be checked'),
    );
  }
}

async function reportExpiry({ caPem, server, peer, clientPair }: EtcdPki, metrics: Metrics): Promise<void> {
  const pems = {
    'etcd-ca': caPem,
    'etcd-server': await readFile(server.certFile, 'utf8'),
    'etcd-peer': await readFile(peer.certFile, 'utf8'),
    'etcd-client': clientPair.certificatePem,
  };
  for (const [certificate, pem] of Object.entries(pems)) {
    const { notAfterMs } = readCertificate(pem);
    metrics.set('hostler_certificate_expiry_seconds', notAfterMs / 1_000, { certificate });
  }
}

/** @throws Error when this server would make authorities of its own, which the other members do not believe */
function requireAuthorities(dataDir: string): void {
  const missing = [pkiFolder(dataDir), etcdPkiFolder(dataDir)]
    .flatMap((folder) => [join(folder, 'ca.crt'), join(folder, 'ca.key')])
    .filter((path) => !existsSync(path));
  if (missing.length === 0) return;
  throw new HostlerError(
    'Invalid',
    `All servers of --etcd-members need the same authorities, and there is no ${missing.join(', no ')}: ` +
      `make them once, with 'hostler certificate authorities --data-dir …', and copy them to each`,
  );
}

/** What the other members know this one by. */
function peerNameOf({ name, members }: EtcdMembership): string {
  const { url = '' } = members.find((member) => member.name === name) ?? {};
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
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
