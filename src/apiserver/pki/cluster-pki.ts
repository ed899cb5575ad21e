import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { ADMIN_GROUP, NODE_USER_PREFIX, NODES_GROUP } from '../auth/user.ts';
import { type CertificateAuthority, issueCertificate, type KeyPair } from './certificates.ts';
import { ensurePrivateFolder } from './files.ts';
import { ensureAuthority, ensureIssuedPair, readPair } from './issued-pair.ts';

/**
 * The cluster's own certificate authority: it signs the API server's certificate and those by which people and agents
 * say who they are. Everything lives in one folder; whoever can read it can become anybody.
 */
export interface ClusterPki {
  ca: CertificateAuthority;
  server: KeyPair;
  /** User `hostler:admin` in group system:masters. */
  admin: KeyPair;
}

export interface ClusterPkiOptions {
  dir: string;
  /** DNS names and IP addresses under which clients reach the API server. */
  serverNames: readonly string[];
  clock: Clock;
}

const CA_NAME = 'ca';
const SERVER_DAYS = 365;
export const CLIENT_DAYS = 365;
export const ADMIN_USER = 'hostler:admin';

/** Makes what is missing, and issues again what no longer fits or nears its end. Idempotent. */
export async function ensureClusterPki({ dir, serverNames, clock }: ClusterPkiOptions): Promise<ClusterPki> {
  const ca = await ensureClusterAuthority(dir, clock);
  const server = await ensureIssuedPair(
    { dir, name: 'server' },
    ca,
    {
      commonName: 'hostler-apiserver',
      names: [...new Set(serverNames.map(withoutZeros))],
      usages: ['server'],
      validDays: SERVER_DAYS,
    },
    clock,
  );
  const admin = await ensureIssuedPair(
    { dir, name: 'admin' },
    ca,
    { commonName: ADMIN_USER, organizations: [ADMIN_GROUP], usages: ['client'], validDays: CLIENT_DAYS },
    clock,
  );
  return { ca, server, admin };
}

/** The cluster's authority, found or made. */
export async function ensureClusterAuthority(dir: string, clock: Clock): Promise<CertificateAuthority> {
  await ensurePrivateFolder(dir);
  return ensureAuthority({ dir, name: CA_NAME }, 'hostler-ca', clock);
}

/** The authority in `dir`. @throws Error when there is none */
export async function loadClusterAuthority(dir: string): Promise<CertificateAuthority> {
  const ca = await readPair(dir, CA_NAME);
  if (ca === undefined) {
    throw new Error(
      `There is no cluster CA at ${join(dir, `${CA_NAME}.crt`)}: the API server makes it at its first start`,
    );
  }
  return ca;
}

export interface ClientIdentity {
  ca: CertificateAuthority;
  user: string;
  groups: readonly string[];
  clock: Clock;
  /** @defaultValue 365 */
  validDays?: number;
  /** Agents prove with the same certificate who they are when another agent asks them. @defaultValue false */
  isServerToo?: boolean;
}

/** A certificate for a person or a program: CN is the user, each O a group. */
export function issueClientCertificate({
  ca,
  user,
  groups,
  clock,
  validDays = CLIENT_DAYS,
  isServerToo = false,
}: ClientIdentity): Promise<KeyPair> {
  return issueCertificate(
    ca,
    {
      commonName: user,
      organizations: groups,
      usages: isServerToo ? ['client', 'server'] : ['client'],
      validDays,
    },
    clock,
  );
}

/** The identity of the agent of node `name`. */
export function nodeIdentity(name: string): { user: string; groups: string[] } {
  return { user: `${NODE_USER_PREFIX}${name}`, groups: [NODES_GROUP] };
}

/** One spelling for each IPv6 address, so that a certificate's names can be compared with the wanted ones. */
function withoutZeros(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase();
}
