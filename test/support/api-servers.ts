import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateAuthority, KeyPair } from '../../src/apiserver/pki/certificates.ts';
import { ensureClusterAuthority, issueClientCertificate } from '../../src/apiserver/pki/cluster-pki.ts';
import { pkiFolder } from '../../src/apiserver/pki/folders.ts';
import { systemClock } from '../../src/ports/clock.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type EtcdServer, startEtcd } from './etcd-server.ts';
import { type HostlerProcess, startHostler } from './hostler-process.ts';

/** Several processes of `hostler apiserver` over one etcd, with the one authority: what replicas are to their clients. */
export interface ApiServers {
  readonly all: readonly OneApiServer[];
  readonly ca: CertificateAuthority;
  readonly etcd: EtcdServer;
  issue(user: string, groups?: readonly string[]): Promise<KeyPair>;
  stop(): Promise<void>;
}

export interface OneApiServer {
  readonly name: string;
  /** Of the process that runs now, or ran last. */
  readonly process: HostlerProcess;
  /** A new process with what is on disk, on another port. Resolves when it is ready. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Somebody who asks this server. */
  client(identity: KeyPair): ApiClient;
}

const READY_MS = 60_000;

export async function startApiServers(names: readonly string[]): Promise<ApiServers> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-api-servers-'));
  const etcd = await startEtcd();
  const made = join(folder, 'made');
  const ca = await ensureClusterAuthority(pkiFolder(made), systemClock);
  const all = names.map((name) => serverOf(name, join(folder, name), { etcd, ca }));
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((server) => server.kill()));
    await etcd.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const name of names) await cp(pkiFolder(made), pkiFolder(join(folder, name)), { recursive: true });
    await Promise.all(all.map((server) => server.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  const issue: ApiServers['issue'] = (user, groups = []) =>
    issueClientCertificate({ ca, user, groups, clock: systemClock });
  return { all, ca, etcd, issue, stop };
}

function serverOf(
  name: string,
  dataDir: string,
  { etcd, ca }: Pick<ApiServers, 'etcd' | 'ca'>,
): OneApiServer {
  let process: HostlerProcess | undefined;
  let url = '';
  const argv = ['--data-dir', dataDir, '--listen', '127.0.0.1:0', '--etcd', etcd.endpoint];
  return {
    name,
    get process() {
      if (process === undefined) throw new Error(`${name} was not started`);
      return process;
    },
    async start() {
      process = startHostler(['apiserver', ...argv]);
      const line = await process.says('stdout', /The API is ready at .*\n/, READY_MS);
      url = /https:[^:]+:\d+/.exec(line)?.[0] ?? '';
    },
    async kill() {
      process?.signal('SIGKILL');
      await process?.ended;
    },
    client: (identity) => createApiClient({ url, caPem: ca.certificatePem, identity }),
  };
}
