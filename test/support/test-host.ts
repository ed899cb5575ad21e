import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
// @peculiar/x509 does not load without it.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { BRIDGE_NAME } from '../../src/config/local.ts';
import { daemonRequest } from '../../src/cmd/local/daemon.ts';
import { findDaemonProgram, type LocalHost, startHost } from '../../src/cmd/local/host.ts';
import { openNetwork } from '../../src/cmd/local/network.ts';
import { tearDown } from '../../src/cmd/local/teardown.ts';
import type { Endpoint } from '../../src/incus/endpoint.ts';
import { type SocketProxy, startSocketProxy } from './socket-proxy.ts';

/** A real Incus or LXD host in namespaces of its own, with a pool and an image file, for tests. */
export interface TestHost {
  host: LocalHost;
  socketPath: string;
  /** Where test files may put things: a folder that the host sees too. */
  directory: string;
  /** `file:///…` of the busybox image. */
  image: string;
  /** A `dir` pool that is not ours. */
  pool: string;
  network: string;
  /** One request to the daemon, past any driver. @returns its metadata */
  ask(method: string, path: string, body?: object): Promise<unknown>;
  /** Opens the daemon's HTTPS port to this process, with a client certificate that the daemon trusts. */
  openHttps(): Promise<Endpoint>;
  /** What `kill -9` of the container's first process does. */
  killInit(name: string): Promise<void>;
  killDaemon(): Promise<void>;
  stop(): Promise<void>;
}

const POOL = 'default';

/** Why no such host can be started here; undefined when it can. */
export function whyNoHost(runtime: 'incus' | 'lxd'): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/sys/fs/cgroup')) return 'needs control groups';
  try {
    findDaemonProgram(runtime);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function startTestHost(runtime: 'incus' | 'lxd'): Promise<TestHost> {
  const stateDir = await mkdtemp(join(tmpdir(), `hostler-${runtime}-`));
  const proxies: SocketProxy[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await tearDown(stateDir);
  };
  try {
    const network = await openNetwork(stateDir);
    const host = await startHost({ name: 'host-1', stateDir, network, runtime });
    const directory = join(stateDir, 'files');
    await mkdir(directory);
    const ask: TestHost['ask'] = (method, path, body) => daemonRequest(host.socketPath, method, path, body);
    await ask('POST', '/1.0/storage-pools', { name: POOL, driver: 'dir', config: {} });
    return {
      host,
      socketPath: host.socketPath,
      directory,
      image: await buildImage(directory),
      pool: POOL,
      network: BRIDGE_NAME,
      ask,
      openHttps: async () => {
        const relayPath = join(directory, 'relay.sock');
        await relayInside(host, relayPath);
        const proxy = await startSocketProxy({ host: '127.0.0.1', port: 0 }, relayPath);
        proxies.push(proxy);
        return trustedEndpoint(ask, proxy.port);
      },
      killInit: async (name) => {
        const { pid } = (await ask('GET', `/1.0/instances/${name}/state`)) as { pid: number };
        if (pid <= 0) throw new Error(`${name} does not run`);
        await host.exec(['kill', '-9', String(pid)]);
      },
      killDaemon: async () => {
        await host.killDaemon('SIGKILL');
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function buildImage(directory: string): Promise<string> {
  const path = join(directory, 'busybox.tar.gz');
  const script = new URL('../../scripts/busybox-image', import.meta.url);
  await promisify(execFile)(script.pathname, [path], { timeout: 30_000 });
  return pathToFileURL(path).href;
}

/** The daemon's port is in the host's network, which this process is not in: unix sockets know no networks. */
async function relayInside(host: LocalHost, path: string): Promise<void> {
  const script = `const { connect, createServer } = require('node:net');
    createServer((client) => {
      const daemon = connect(8443, '127.0.0.1');
      client.pipe(daemon).pipe(client);
      client.on('error', () => daemon.destroy());
      daemon.on('error', () => client.destroy());
    }).listen(process.argv[1]);`;
  await host.spawn('relay', [process.execPath, '-e', script, path], { logFile: `${path}.log` });
  while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
}

async function trustedEndpoint(ask: TestHost['ask'], port: number): Promise<Endpoint> {
  await ask('PUT', '/1.0', { config: { 'core.https_address': '127.0.0.1:8443' } });
  const { environment } = (await ask('GET', '/1.0')) as { environment: { certificate: string } };
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
  });
  const der = Buffer.from(certificate.rawData).toString('base64');
  await ask('POST', '/1.0/certificates', { type: 'client', name: 'test', certificate: der });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    url: `https://127.0.0.1:${port}`,
    ca: Buffer.from(environment.certificate),
    cert: Buffer.from(certificate.toString('pem')),
    key: Buffer.from(x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')),
  };
}
