import { createPublicKey, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { KeyPair } from '../../../src/apiserver/pki/certificates.ts';
import { nodeIdentity } from '../../../src/apiserver/pki/cluster-pki.ts';
import { prefixOf } from '../../../src/apiserver/registry/keys.ts';
import {
  type CertificateSigningRequest,
  certificateSigningRequestRef,
  CLIENT_SIGNER,
  requestPrefix,
} from '../../../src/crds/certificate-signing-request.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { draftLike } from '../../../src/kube/signing-request.ts';
import type { CertificateDraft } from '../../../src/ports/own-certificate.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { type ApiServers, type OneApiServer, startApiServers } from '../../support/api-servers.ts';
import { eventually } from '../../support/waiting.ts';
import { signingRequest } from '../../support/signing-requests.ts';

/**
 * Three API servers with one CA over one etcd. Each sees every request, and each signs it as soon as it may be: that only
 * one certificate comes of it rests on conditional writes alone. What is judged is what etcd has written, version by version.
 */
const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const NODES = '/apis/hostler.dev/v1alpha1/nodes';
const PREFIX = prefixOf(certificateSigningRequestRef);
const UNTIL_MS = 60_000;

let servers: ApiServers;
let admin: KeyPair;
let storage: ReturnType<typeof createEtcdStorage>;
const watching = new AbortController();
let watched: Promise<void>;
/** All that was ever written of each request, by its name, oldest first; undefined: it was deleted. */
const versions = new Map<string, (CertificateSigningRequest | undefined)[]>();

beforeAll(async () => {
  servers = await startApiServers(['cp-1', 'cp-2', 'cp-3']);
  admin = await servers.issue('admin', ['system:masters']);
  storage = createEtcdStorage({ endpoints: [servers.etcd.endpoint], logger });
  watched = follow((await storage.list(PREFIX)).revision);
}, 120_000);
afterAll(async () => {
  watching.abort();
  await watched;
  await storage.close();
  await servers.stop();
}, 60_000);

async function follow(afterRevision: number): Promise<void> {
  for await (const { events } of storage.watch(PREFIX, afterRevision, watching.signal)) {
    for (const event of events) {
      const key = event.type === 'put' ? event.entry.key : event.key;
      const name = key.slice(PREFIX.length);
      const version =
        event.type === 'put'
          ? (JSON.parse(event.entry.value.toString()) as CertificateSigningRequest)
          : undefined;
      versions.set(name, [...(versions.get(name) ?? []), version]);
    }
  }
}

interface Asked {
  name: string;
  user: string;
  draft: CertificateDraft;
}

const at = (index: number): OneApiServer => servers.all[index % servers.all.length] as OneApiServer;

/** An agent that renews its certificate, for which nobody has to approve anything. */
async function askAsNode(node: string, by: OneApiServer): Promise<Asked> {
  const { user, groups } = nodeIdentity(node);
  const identity = await servers.issue(user, groups);
  const body = { apiVersion: API_VERSION, kind: 'Node', metadata: { name: node }, spec: {} };
  expect((await by.client(admin).request('POST', NODES, { body })).code).toBe(201);
  const draft = draftLike(identity.certificatePem);
  const name = `${requestPrefix(node)}next`;
  const asked = await by
    .client(identity)
    .request('POST', CSRS, { body: signingRequest(name, draft, { expirationSeconds: 86_400 }) });
  expect(asked.code).toBe(201);
  return { name, user, draft };
}

/** A person, for whom somebody has to approve it. */
async function askAsPerson(user: string, by: OneApiServer): Promise<Asked> {
  const draft = draftLike((await servers.issue(user)).certificatePem);
  const spec = { signerName: CLIENT_SIGNER, usages: ['client auth'], expirationSeconds: 86_400 };
  const body = signingRequest(user, draft, spec);
  expect((await by.client(admin).request('POST', CSRS, { body })).code).toBe(201);
  return { name: user, user, draft };
}

/** @returns the status of the answer */
async function approve({ name }: Asked, by: OneApiServer): Promise<number> {
  const conditions = [{ type: 'Approved', status: 'True', reason: 'Test', message: `by ${by.name}` }];
  const headers = { 'content-type': 'application/merge-patch+json' };
  const body = Buffer.from(JSON.stringify({ status: { conditions } }));
  return (await by.client(admin).request('PATCH', `${CSRS}/${name}/approval`, { body, headers })).code;
}

const certificatesOf = (name: string): string[] => [
  ...new Set((versions.get(name) ?? []).flatMap((version) => version?.status?.certificate ?? [])),
];

async function untilIssued(all: readonly Asked[]): Promise<void> {
  const without = () =>
    Promise.resolve(all.map(({ name }) => name).filter((name) => certificatesOf(name).length === 0));
  await eventually('each request has a certificate', without, (names) => names.length === 0, UNTIL_MS);
}

/** Until `follow` has seen all that was written by now. */
async function untilSeen(): Promise<void> {
  const { entries } = await storage.list(PREFIX);
  const latest = async () =>
    entries.filter(({ key, value }) => {
      const seen = versions.get(key.slice(PREFIX.length))?.at(-1);
      return JSON.stringify(seen) !== JSON.stringify(JSON.parse(value.toString()));
    });
  await eventually('the watch has seen all', latest, (missing) => missing.length === 0, UNTIL_MS);
}

/** Each has one certificate for its own key and name, which never changes once it is there. */
async function expectOneEach(all: readonly Asked[]): Promise<void> {
  await untilSeen();
  for (const { name, user, draft } of all) {
    const [issued = '', ...others] = certificatesOf(name);
    expect({ name, others }).toEqual({ name, others: [] });
    const last = versions.get(name)?.at(-1);
    expect(last?.status?.certificate).toBe(issued);
    expect(last?.status?.conditions?.map(({ type }) => type)).toEqual(['Approved']);
    const certificate = new X509Certificate(Buffer.from(issued, 'base64'));
    expect(certificate.subject).toContain(`CN=${user}`);
    expect(certificate.verify(new X509Certificate(servers.ca.certificatePem).publicKey)).toBe(true);
    expect(certificate.publicKey.equals(createPublicKey(draft.keyPem))).toBe(true);
  }
  const serials = all.map(({ name }) => serialOf(certificatesOf(name)[0] ?? ''));
  expect(new Set(serials).size).toBe(all.length);
}

const serialOf = (base64: string): string => new X509Certificate(Buffer.from(base64, 'base64')).serialNumber;

/** Whoever has it is known by its name, whichever server is asked. */
async function expectAccepted(all: readonly Asked[], by: readonly OneApiServer[]): Promise<void> {
  for (const { name, user, draft } of all) {
    const certificatePem = Buffer.from(certificatesOf(name)[0] ?? '', 'base64').toString();
    for (const server of by) {
      const client = server.client({ certificatePem, keyPem: draft.keyPem });
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
      const answer = await client.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        body,
      });
      expect({ server: server.name, code: answer.code }).toEqual({ server: server.name, code: 201 });
      expect(answer.json()).toMatchObject({ status: { userInfo: { username: user } } });
    }
  }
}

/** How often a server has signed one of `all`; of those that sign the same one, all but the first find it decided. */
const decisionsAbout = (all: readonly Asked[]): number =>
  servers.all
    .flatMap(({ process }) => process.stdout.concat(process.stderr).split('\n'))
    .filter((line) => line.includes('decided about a certificate'))
    .filter((line) => all.some(({ name }) => line.includes(`"request":"${name}"`))).length;

const numbers = (count: number): number[] => [...Array(count).keys()];

it('requests that are all made and approved at once get one certificate each', async () => {
  const nodes = numbers(12).map((index) => askAsNode(`host-${index}`, at(index)));
  const people = numbers(12).map(async (index) => {
    const asked = await askAsPerson(`person-${index}`, at(index));
    const codes = await Promise.all(servers.all.map((server) => approve(asked, server)));
    expect(codes).toEqual([200, 200, 200]);
    return asked;
  });
  const all = await Promise.all([...nodes, ...people]);
  await untilIssued(all);
  await expectOneEach(all);
  await expectAccepted(all, servers.all);
  // Else nothing would have been tried: more than one of them signed.
  expect(decisionsAbout(all)).toBeGreaterThan(all.length);
}, 180_000);

it('those that a server is killed over get theirs from the others, and it finds nothing to do afterwards', async () => {
  const lost = at(2);
  const people = await Promise.all(numbers(12).map((index) => askAsPerson(`late-${index}`, at(index))));
  let answered = 0;
  const killed = new Promise<void>((resolve) => {
    const attempts = people.map(async (asked) => {
      const code = await approve(asked, lost).catch(() => undefined);
      if (code === 200 && (answered += 1) === 4) resolve(lost.kill());
    });
    void Promise.all(attempts).then(() => resolve());
  });
  const nodes = await Promise.all(numbers(6).map((index) => askAsNode(`late-host-${index}`, at(index % 2))));
  await killed;
  expect(answered).toBeGreaterThanOrEqual(4);
  for (const asked of people) expect(await approve(asked, at(0))).toBe(200);
  const all = [...people, ...nodes];
  await untilIssued(all);
  await lost.start();
  await expectAccepted(all, servers.all);
  await expectOneEach(all);
}, 180_000);

it('a server that was frozen meanwhile leaves what the others have issued', async () => {
  const frozen = at(1);
  frozen.process.signal('SIGSTOP');
  const others = servers.all.filter((server) => server !== frozen);
  const all = await Promise.all(
    numbers(9).map((index) => askAsNode(`cold-${index}`, others[index % 2] as OneApiServer)),
  );
  await untilIssued(all);
  frozen.process.signal('SIGCONT');
  await expectAccepted(all, servers.all);
  await expectOneEach(all);
}, 180_000);
