import { mkdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureClusterAuthority } from '../../src/apiserver/pki/cluster-pki.ts';
import { ensureEtcdAuthority } from '../../src/apiserver/pki/etcd-pki.ts';
import { adminKubeconfigPath, etcdPkiFolder, pkiFolder } from '../../src/apiserver/pki/folders.ts';
import { run } from '../../src/cmd/local/process.ts';
import { forward } from '../../src/cmd/forward.ts';
import { endProcess, findByArgument, identify } from '../../src/etcd/process-identity.ts';
import { systemClock } from '../../src/ports/clock.ts';
import { freePort } from './free-port.ts';
import { type HostlerProcess, startHostler } from './hostler-process.ts';

/** Three whole servers, each with a member of one etcd, on addresses of this machine's loopback; and a forwarder before them. */
export interface Replicas {
  readonly all: readonly Replica[];
  /** A kubeconfig that names the forwarder. */
  readonly kubeconfig: string;
  /** The one whose member leads etcd. */
  etcdLeader(): Promise<Replica>;
  /** The one that runs the controllers. @throws Error when there is none now */
  leader(): Promise<Replica>;
  /** `etcdctl` by way of a member that runs. @returns standard output */
  etcdctl(by: Replica, ...argv: string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface Replica {
  readonly name: string;
  readonly url: string;
  readonly dataDir: string;
  readonly process: HostlerProcess;
  /** A new process, with what is on disk. */
  start(...more: string[]): void;
  isReady(): Promise<unknown>;
  /** SIGKILL to the server and its etcd at once, as the end of their machine. */
  kill(): Promise<void>;
  /** To both. */
  signal(name: NodeJS.Signals): Promise<void>;
}

const NAMES = ['cp-1', 'cp-2', 'cp-3'];
const READY_MS = 60_000;

export async function startReplicas(): Promise<Replicas> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-replicas-'));
  const ports: { api: number; peer: number }[] = [];
  for (const _ of NAMES) ports.push({ api: await freePort(), peer: await freePort() });
  const members = NAMES.map((name, index) => `${name}=https://127.0.0.1:${ports[index]?.peer}`).join(',');
  const frontPort = await freePort();
  const first = join(folder, NAMES[0] as string);
  await ensureClusterAuthority(pkiFolder(first), systemClock);
  await ensureEtcdAuthority(etcdPkiFolder(first), systemClock);
  const all = NAMES.map((name, index) =>
    replicaOf({ name, dataDir: join(folder, name), apiPort: ports[index]?.api ?? 0, members, frontPort }),
  );
  for (const { dataDir } of all.slice(1)) await cp(pkiFolder(first), pkiFolder(dataDir), { recursive: true });
  const stopFront = await forward(
    `127.0.0.1:${frontPort}`,
    all.map(({ url }) => url),
  );
  const stop = async (): Promise<void> => {
    await stopFront();
    for (const replica of all) await replica.kill();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const replica of all) replica.start();
    await Promise.all(all.map((replica) => replica.isReady()));
  } catch (error) {
    await stop();
    throw error;
  }
  const etcdctl: Replicas['etcdctl'] = (by, ...argv) => runEtcdctl(by, argv);
  return {
    all,
    kubeconfig: adminKubeconfigPath(first),
    etcdctl,
    async etcdLeader() {
      for (const replica of all) {
        if ((await etcdOf(replica)) === undefined) continue;
        const [status] = JSON.parse(await etcdctl(replica, 'endpoint', 'status', '-w', 'json')) as {
          Status: { leader: number; header: { member_id: number } };
        }[];
        if (status !== undefined && status.Status.leader === status.Status.header.member_id) return replica;
      }
      throw new Error('No member leads etcd');
    },
    async leader() {
      for (const replica of all) {
        if ((await etcdOf(replica)) === undefined) continue;
        const holder = await etcdctl(replica, 'get', '/hostler/leader', '--print-value-only');
        const found = all.find(({ process }) => holder.includes(`-${process.pid}-`));
        if (found !== undefined) return found;
      }
      throw new Error('No replica leads');
    },
    stop,
  };
}

interface ReplicaOptions {
  name: string;
  dataDir: string;
  apiPort: number;
  members: string;
  frontPort: number;
}

function replicaOf({ name, dataDir, apiPort, members, frontPort }: ReplicaOptions): Replica {
  let process: HostlerProcess | undefined;
  mkdirSync(dataDir, { recursive: true });
  const flags = {
    'data-dir': dataDir,
    listen: `127.0.0.1:${apiPort}`,
    'advertise-url': `https://127.0.0.1:${frontPort}`,
    'etcd-name': name,
    'etcd-members': members,
  };
  const replica: Replica = {
    name,
    dataDir,
    url: `https://127.0.0.1:${apiPort}`,
    get process() {
      if (process === undefined) throw new Error(`${name} was not started`);
      return process;
    },
    start(...more) {
      const argv = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
      process = startHostler(['server', ...argv, ...more]);
    },
    isReady: () => replica.process.says('stdout', /Hostler is ready at .*\n/, READY_MS),
    async kill() {
      process?.signal('SIGKILL');
      const etcd = await etcdOf(replica);
      if (etcd !== undefined) await endProcess(etcd, 0);
      await process?.ended;
    },
    async signal(signalName) {
      const etcd = await etcdOf(replica);
      replica.process.signal(signalName);
      if (etcd !== undefined) globalThis.process.kill(etcd.pid, signalName);
    },
  };
  return replica;
}

async function etcdOf({ dataDir }: Pick<Replica, 'dataDir'>) {
  const [found] = await findByArgument(`--data-dir=${join(dataDir, 'etcd', 'etcd')}`);
  return found === undefined ? undefined : await identify(found.pid);
}

async function runEtcdctl(replica: Replica, argv: readonly string[]): Promise<string> {
  const etcd = await etcdOf(replica);
  if (etcd === undefined) throw new Error(`The etcd of ${replica.name} does not run`);
  const [, endpoint = ''] =
    /--advertise-client-urls=([^\0]*)/.exec(await readFile(`/proc/${etcd.pid}/cmdline`, 'utf8')) ?? [];
  const pki = etcdPkiFolder(replica.dataDir);
  const tls = ['--cacert', `${pki}/ca.crt`, '--cert', `${pki}/client.crt`, '--key', `${pki}/client.key`];
  const env = { ETCDCTL_API: '3', PATH: globalThis.process.env['PATH'] };
  const { stdout } = await run(['etcdctl', '--endpoints', endpoint, ...tls, ...argv], { env });
  return stdout.trim();
}
