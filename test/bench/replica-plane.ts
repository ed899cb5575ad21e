import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { etcdPkiFolder } from '../../src/apiserver/pki/folders.ts';
import { localApi } from '../../src/cmd/local/api.ts';
import {
  enterArguments,
  findCompartment,
  openCompartment,
  stopCompartment,
} from '../../src/cmd/local/compartment.ts';
import { openNetwork } from '../../src/cmd/local/network.ts';
import { signalProcess } from '../../src/cmd/local/process.ts';
import { ensureControlPlane, isServerReady, SERVER } from '../../src/cmd/local/servers.ts';
import { tearDown } from '../../src/cmd/local/teardown.ts';
import { hostAddresses, type LocalOptions, type LocalServer, localServers } from '../../src/config/local.ts';
import { findByArgument } from '../../src/etcd/process-identity.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';

/** A control plane of three servers on three hosts that have nothing else, and a machine for its client. */
export interface Plane {
  /** Makes the host whose server runs the controllers lead etcd as well. @returns it */
  leadOnOneHost(): Promise<string>;
  signal(host: string, name: NodeJS.Signals, parts: readonly ('server' | 'etcd')[]): Promise<void>;
  cutPower(host: string): Promise<void>;
  setLink(host: string, up: boolean): Promise<void>;
  /** By way of a member elsewhere than on `host`: when the leader key was deleted. */
  watchLeaderKey(host: string): Promise<{ deletedMs(): number[]; stop: () => void }>;
  /** One that tries the server of `host` first. */
  startClient(host: string): Promise<{ lines: readonly Line[]; stop: () => Promise<void> }>;
  /** @returns when a server elsewhere than on `host` says that it leads, on the monotonic clock */
  untilAnotherLeads(host: string, limitMs: number): Promise<number>;
  /** Everything runs, is connected and ready. */
  repair(): Promise<void>;
  stop(): Promise<void>;
}

export interface Line {
  atMs: number;
  what: string;
  name: string;
}

const CLIENT = 'client';
const CLIENT_ADDRESS = '10.88.0.50';
const PROGRAM = fileURLToPath(new URL('replica-client.ts', import.meta.url));

export async function startPlane(stateDir: string, program: readonly string[]): Promise<Plane> {
  const options: LocalOptions = { stateDir, hosts: 3, replicas: 3, port: 6443, runtime: 'incus' };
  const servers = localServers(options);
  const network = await openNetwork(stateDir);
  const serverOn = (host: string): LocalServer =>
    servers.find((server) => server.host === host) as LocalServer;
  const etcdOf = async ({ dataDir }: LocalServer): Promise<number> =>
    (await findByArgument(`--data-dir=${dataDir}/etcd/etcd`))[0]?.pid ?? 0;
  const etcdctl = async (server: LocalServer, argv: readonly string[]): Promise<string[]> => {
    const cmdline = await readFile(`/proc/${await etcdOf(server)}/cmdline`, 'utf8');
    const endpoint = /--advertise-client-urls=([^\0]*)/.exec(cmdline)?.[1] ?? '';
    const pki = etcdPkiFolder(server.dataDir);
    const tls = ['--cacert', `${pki}/ca.crt`, '--cert', `${pki}/client.crt`, '--key', `${pki}/client.key`];
    return ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', endpoint, ...tls, ...argv];
  };
  const inside = async (server: LocalServer, argv: readonly string[]): Promise<string> =>
    (await compartmentOf(server.compartment).exec(await etcdctl(server, argv))).stdout;
  const compartmentOf = (name: string) => {
    const found = findCompartment(stateDir, name);
    if (found === undefined) throw new Error(`${name} does not run`);
    return found;
  };
  const leads = async (server: LocalServer): Promise<boolean> => {
    try {
      const api = localApi(server.apiSocket, server.kubeconfig);
      const { body } = await api.request('GET', '/metrics', { timeoutMs: 1_000 });
      return /^hostler_leader 1$/m.test(String(body));
    } catch {
      // It is away, or starts.
      return false;
    }
  };
  const leader = async (of: readonly LocalServer[], limitMs: number): Promise<LocalServer> => {
    const untilMs = clock.monotonicMs() + limitMs;
    while (clock.monotonicMs() < untilMs) {
      const all = await Promise.all(of.map(leads));
      const found = of[all.indexOf(true)];
      if (found !== undefined) return found;
      await delay(10);
    }
    throw new Error(`No server leads within ${limitMs / 1_000} s`);
  };
  const repair = async (): Promise<void> => {
    for (const [index, { compartment: host }] of servers.entries()) {
      const compartment = await openCompartment(stateDir, host);
      const { address, subnet } = hostAddresses(index + 1);
      await network.attach(compartment, { address, subnet });
      await signal(host, 'SIGCONT', ['etcd', 'server']);
    }
    // One that was told to end does so before it is started again.
    await delay(1_500);
    await ensureControlPlane({ options, program }, network);
    const notReady = async (): Promise<boolean> =>
      (await Promise.all(servers.map((server) => isServerReady(server).catch(() => false)))).includes(false);
    while (await notReady()) await delay(100);
  };
  const signal: Plane['signal'] = async (host, name, parts) => {
    for (const part of parts) {
      const identity = compartmentOf(host).part(SERVER);
      const pid = await etcdOf(serverOn(host));
      if (part === 'server' && identity !== undefined) signalProcess(identity, name);
      if (part === 'etcd' && pid > 0) process.kill(pid, name);
    }
  };
  const start = (name: string, argv: readonly string[]): ChildProcess => {
    const [nsenter = '', ...rest] = enterArguments(compartmentOf(name).initPid, '/');
    // It is the child of the one that is ended.
    return spawn(nsenter, [...rest, 'setpriv', '--pdeathsig=KILL', ...argv], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };
  await repair();
  await network.attach(await openCompartment(stateDir, CLIENT), { address: CLIENT_ADDRESS });
  return {
    async leadOnOneHost() {
      const found = await leader(servers, 20_000);
      await moveEtcdLeader(servers, found, inside);
      return found.compartment;
    },
    signal,
    cutPower: (host) => stopCompartment(stateDir, host),
    setLink: (host, up) => network.setLink(host, up),
    async watchLeaderKey(host) {
      const by = servers.find(({ compartment }) => compartment !== host) as LocalServer;
      const child = start(by.compartment, await etcdctl(by, ['watch', '/hostler/leader']));
      const times: number[] = [];
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      lines.on('line', (line) => {
        if (line === 'DELETE') times.push(clock.monotonicMs());
      });
      return { deletedMs: () => times, stop: () => void child.kill('SIGKILL') };
    },
    startClient(host) {
      const urls = [serverOn(host), ...servers.filter(({ compartment }) => compartment !== host)].map(
        ({ url }) => url,
      );
      const argv = [process.execPath, '--no-warnings', PROGRAM, servers[0]?.kubeconfig ?? '', urls.join(',')];
      const child = start(CLIENT, argv);
      const lines: Line[] = [];
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        const [atMs, what = '', name = ''] = line.split(' ');
        lines.push({ atMs: Number(atMs), what, name });
      });
      const stop = async (): Promise<void> => {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      };
      return Promise.resolve({ lines, stop });
    },
    async untilAnotherLeads(host, limitMs) {
      await leader(
        servers.filter(({ compartment }) => compartment !== host),
        limitMs,
      );
      return clock.monotonicMs();
    },
    repair,
    stop: () => tearDown(stateDir),
  };
}

/** etcd names members by numbers that JavaScript cannot hold: they are taken from the text. */
async function moveEtcdLeader(
  servers: readonly LocalServer[],
  to: LocalServer,
  inside: (server: LocalServer, argv: readonly string[]) => Promise<string>,
): Promise<void> {
  const idsOf = async (server: LocalServer) => {
    const text = await inside(server, ['endpoint', 'status', '-w', 'json']);
    return { own: /"member_id":(\d+)/.exec(text)?.[1] ?? '', leader: /"leader":(\d+)/.exec(text)?.[1] ?? '' };
  };
  const target = await idsOf(to);
  if (target.own === target.leader) return;
  for (const server of servers) {
    const { own, leader } = await idsOf(server);
    if (own === leader) await inside(server, ['move-leader', BigInt(target.own).toString(16)]);
  }
}
