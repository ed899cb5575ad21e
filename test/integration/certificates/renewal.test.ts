import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CertificateAuthority,
  issueCertificate,
  type KeyPair,
} from '../../../src/apiserver/pki/certificates.ts';
import { loadClusterAuthority, nodeIdentity } from '../../../src/apiserver/pki/cluster-pki.ts';
import { pkiFolder } from '../../../src/apiserver/pki/folders.ts';
import { renderKubeconfig } from '../../../src/apiserver/pki/kubeconfig.ts';
import {
  type CertificateSigningRequest,
  certificateSigningRequestRef,
} from '../../../src/crds/certificate-signing-request.ts';
import { NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { draftLike } from '../../../src/kube/signing-request.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { freePort } from '../../support/free-port.ts';
import { type HostlerProcess, startHostler } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { type Look, until } from '../../support/waiting.ts';

/**
 * A real server with its etcd, and a real agent whose certificate ends within half a minute: it is renewed, taken up without
 * a restart, and the lease of its node goes on. The host's daemon is away, which is none of the lease's business.
 */
const NODE = 'host-1';
const LEFT_SECONDS = 25;
const { signal } = new AbortController();
const started: HostlerProcess[] = [];
let folder: string;
let dataDir: string;
let stateDir: string;
let url: string;
let peerPort: number;
let ca: CertificateAuthority;
let first: KeyPair;
let kubectl: Kubectl;
let store: ReturnType<typeof createObjectStore>;
let agent: HostlerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostler-renewal-'));
  [dataDir, stateDir] = [join(folder, 'server'), join(folder, 'agent')];
  await mkdir(dataDir);
  const port = await freePort();
  peerPort = await freePort();
  url = `https://127.0.0.1:${port}`;
  const server = run('server', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`, '--log-level', 'warn');
  await server.says('stdout', /Hostler is ready/, 60_000);
  ca = await loadClusterAuthority(pkiFolder(dataDir));
  const kubeConfig = join(dataDir, 'admin.kubeconfig');
  kubectl = await createKubectl(kubeConfig);
  store = createObjectStore({ kubeConfig, userAgent: 'test', logger });
}, 120_000);
afterAll(async () => {
  await Promise.all(started.toReversed().map((one) => one.stop()));
  store.close();
  await kubectl.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

function run(...args: string[]): HostlerProcess {
  const one = startHostler(args);
  started.push(one);
  return one;
}

async function issueFirst(): Promise<void> {
  const { user, groups } = nodeIdentity(NODE);
  const usages = ['client', 'server'] as const;
  const validDays = LEFT_SECONDS / 86_400;
  first = await issueCertificate(ca, { commonName: user, organizations: groups, usages, validDays }, clock);
  const kubeconfig = renderKubeconfig({ servers: [url], caPem: ca.certificatePem, client: first, user });
  await writeFile(join(folder, 'agent.kubeconfig'), kubeconfig, { mode: 0o600 });
}

const startAgent = (): HostlerProcess => {
  const kubeconfig = join(folder, 'agent.kubeconfig');
  const who = ['--node-name', NODE, '--kubeconfig', kubeconfig, '--state-dir', stateDir];
  const where = ['--incus', `unix:${join(folder, 'no-daemon')}`, '--peer-listen', `127.0.0.1:${peerPort}`];
  return run('agent', ...who, ...where, '--guard', 'none');
};

const readLease = () => store.get<Lease>(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name: NODE }, signal);
const requests = async () =>
  (await store.list<CertificateSigningRequest>(certificateSigningRequestRef, {}, signal)).items;

const soon = <T>(what: string, look: Look<T>) =>
  until(what, look, { withinMs: 60_000, pollMs: 50, clue: () => agent.stderr.slice(-3_000) });

/** What the agent shows those who ask it. */
async function shownToPeers(): Promise<string> {
  const self = { ca: ca.certificatePem, cert: first.certificatePem, key: first.keyPem };
  const socket = connect({
    ...self,
    host: '127.0.0.1',
    port: peerPort,
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerX509Certificate() as X509Certificate;
  socket.destroy();
  return fingerprint256;
}

/** Every version of the lease that was seen, to its end. */
function followLease() {
  const seen: Lease[] = [];
  const stop = new AbortController();
  const following = (async () => {
    while (!stop.signal.aborted) {
      const lease = await readLease();
      if (lease !== undefined && lease.metadata.resourceVersion !== seen.at(-1)?.metadata.resourceVersion)
        seen.push(lease);
      await pause(100);
    }
  })();
  return {
    seen,
    async end() {
      stop.abort();
      await following;
    },
  };
}

// The steps build on each other: one agent, one story.
describe('an agent whose certificate is about to end', () => {
  it('has the next one at once, with the key beside it, and shows it to its peers', async () => {
    await issueFirst();
    agent = startAgent();
    const renewed = await soon('a certificate', () =>
      readFile(join(stateDir, 'client.pem'), 'utf8').catch(() => undefined),
    );
    expect((await stat(join(stateDir, 'client.pem'))).mode & 0o777).toBe(0o600);
    const certificate = new X509Certificate(renewed);
    expect(certificate.subject).toBe(new X509Certificate(first.certificatePem).subject);
    expect(renewed).toContain('PRIVATE KEY');
    await soon('the peers see it', async () => (await shownToPeers()) === certificate.fingerprint256);
    const [request] = await requests();
    expect(request?.status?.conditions).toMatchObject([{ type: 'Approved', reason: 'AutoApproved' }]);
    expect(
      Buffer.from(request?.status?.certificate ?? '', 'base64')
        .toString()
        .trim(),
    ).toBe(renewed.slice(0, renewed.indexOf('-----BEGIN PRIVATE KEY')).trim());
  }, 120_000);

  it('goes on renewing its lease long after the end of the first, as the same process', async () => {
    await soon('the lease is held', async () => (await readLease())?.spec?.holderIdentity === NODE);
    const lease = followLease();
    const endMs = Date.parse(new X509Certificate(first.certificatePem).validTo);
    await soon('the first is over', async () => Date.now() > endMs + 8_000);
    await lease.end();
    const terms = new Set(lease.seen.map(({ spec }) => spec?.leaseTransitions));
    expect(terms.size).toBe(1);
    expect(lease.seen.every(({ spec }) => spec?.holderIdentity === NODE)).toBe(true);
    const times = lease.seen.flatMap(({ spec }) =>
      spec?.renewTime === undefined ? [] : [Date.parse(spec.renewTime)],
    );
    const longest = Math.max(...times.slice(1).map((at, index) => at - (times[index] as number)));
    const afterMs = (times.at(-1) ?? 0) - endMs;
    process.stdout.write(
      `the lease was renewed ${times.length} times, at most ${longest} ms apart, until ${afterMs} ms after the end of the first certificate\n`,
    );
    expect(longest).toBeLessThan(5_000);
    expect(afterMs).toBeGreaterThan(0);
    // The proof that the first is of no use any more.
    const old = createObjectStore({
      kubeConfig: join(folder, 'agent.kubeconfig'),
      userAgent: 'test',
      logger,
    });
    const key = { namespace: NODE_LEASE_NAMESPACE, name: NODE };
    await expect(old.get(leaseRef, key, signal)).rejects.toMatchObject({ code: 'Unauthorized' });
    old.close();
  }, 120_000);

  it('starts again with it, though the one in its kubeconfig is over', async () => {
    expect(await agent.stop()).toBe(0);
    const before = (await readLease())?.spec?.renewTime;
    agent = startAgent();
    await soon('the lease goes on', async () => {
      const { renewTime, holderIdentity } = (await readLease())?.spec ?? {};
      return holderIdentity === NODE && renewTime !== before;
    });
  }, 120_000);
});

describe('kubectl', () => {
  it('shows requests, approves and denies them', async () => {
    const list = await kubectl.run(['get', 'csr'], {});
    expect(list.stdout).toMatch(/NAME +AGE +SIGNERNAME +REQUESTOR +REQUESTEDDURATION +CONDITION/);
    expect(list.stdout).toMatch(
      new RegExp(`${NODE}\\.\\w+ .* hostler.dev/node +system:hostler:node:${NODE} .* Approved,Issued`),
    );
    const clientOf = async (user: string) => {
      const pair = await issueCertificate(ca, { commonName: user, usages: ['client'], validDays: 1 }, clock);
      return draftLike(pair.certificatePem);
    };
    for (const user of ['carol', 'eve']) {
      await kubectl.apply({
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: user },
        spec: {
          request: Buffer.from((await clientOf(user)).requestPem).toString('base64'),
          signerName: 'kubernetes.io/kube-apiserver-client',
          expirationSeconds: 86_400,
          usages: ['client auth'],
        },
      });
    }
    expect((await kubectl.run(['certificate', 'approve', 'carol'], {})).stdout).toContain('carol approved');
    expect((await kubectl.run(['certificate', 'deny', 'eve'], {})).stdout).toContain('eve denied');
    const issued = await soon('carol has a certificate', async () => {
      const [carol] = (await requests()).filter(({ metadata }) => metadata.name === 'carol');
      return carol?.status?.certificate;
    });
    const certificate = new X509Certificate(Buffer.from(issued, 'base64'));
    expect(certificate.subject).toBe('CN=carol');
    expect(certificate.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true);
    expect((await kubectl.run(['get', 'csr', 'eve'], {})).stdout).toMatch(/eve .* 24h +Denied/);
    expect((await kubectl.run(['describe', 'csr', 'eve'], { code: 'any' })).stdout).toContain('eve');
  }, 120_000);
});
