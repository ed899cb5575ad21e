import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { KeyPair } from './certificates.ts';
import { ensurePrivateFolder } from './files.ts';
import { ensureAuthority, ensureIssuedPair } from './issued-pair.ts';

/** Certificates of an etcd that Hostler itself runs. Its authority is another than the cluster's: no user may reach etcd. */
export interface EtcdPki {
  /** Paths, as etcd's own options take them. */
  caFile: string;
  server: PairFiles;
  peer: PairFiles;
  client: PairFiles;
  /** What a client of etcd needs in memory. */
  caPem: string;
  clientPair: KeyPair;
}

export interface PairFiles {
  certFile: string;
  keyFile: string;
}

const VALID_DAYS = 365;
/**
 * The server's own client of its etcd keeps its certificate for as long as it runs, so that has to last: as long as the
 * authority, whose key lies beside it.
 */
const CLIENT_DAYS = 3650;

/** Makes what is missing, and issues again what no longer fits or nears its end. Idempotent. */
export async function ensureEtcdPki(options: {
  dir: string;
  serverNames: readonly string[];
  /** Under which the other members reach this one. @defaultValue those of the server */
  peerNames?: readonly string[];
  clock: Clock;
}): Promise<EtcdPki> {
  const { dir, clock } = options;
  const ca = await ensureEtcdAuthority(dir, clock);
  const common = { names: distinct(options.serverNames), validDays: VALID_DAYS };
  const peerNames = distinct(options.peerNames ?? options.serverNames);
  await ensureIssuedPair(
    { dir, name: 'server', keepsKey: true },
    ca,
    // etcd's own gateway connects to the server with the server's certificate, so it is a client's, too.
    { ...common, commonName: 'hostler-etcd', usages: ['server', 'client'] },
    clock,
  );
  await ensureIssuedPair(
    { dir, name: 'peer', keepsKey: true },
    ca,
    { ...common, names: peerNames, commonName: 'hostler-etcd-peer', usages: ['server', 'client'] },
    clock,
  );
  const clientPair = await ensureIssuedPair(
    { dir, name: 'client' },
    ca,
    { commonName: 'hostler-apiserver', usages: ['client'], validDays: CLIENT_DAYS },
    clock,
  );
  return {
    caFile: join(dir, 'ca.crt'),
    server: filesOf(dir, 'server'),
    peer: filesOf(dir, 'peer'),
    client: filesOf(dir, 'client'),
    caPem: ca.certificatePem,
    clientPair,
  };
}

/** The authority of etcd's certificates, found or made. All members of one etcd must have the same. */
export async function ensureEtcdAuthority(dir: string, clock: Clock): Promise<KeyPair> {
  await ensurePrivateFolder(dir);
  return ensureAuthority({ dir, name: 'ca' }, 'hostler-etcd-ca', clock);
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

function filesOf(dir: string, name: string): PairFiles {
  return { certFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
}
