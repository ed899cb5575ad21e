import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  beginOf,
  certify,
  type CertificateAuthority,
  createAuthority,
  type KeyPair,
} from '../../../src/apiserver/pki/certificates.ts';
import { nodeIdentity } from '../../../src/apiserver/pki/cluster-pki.ts';
import { renderKubeconfig } from '../../../src/apiserver/pki/kubeconfig.ts';
import { readSigningRequest } from '../../../src/apiserver/pki/signing-request.ts';
import { type ClientCertificate, createClientCertificate } from '../../../src/kube/client-certificate.ts';
import { draftLike } from '../../../src/kube/signing-request.ts';
import type { CertificateDraft } from '../../../src/ports/own-certificate.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { certificateOf, type Subject } from '../../support/signing-requests.ts';

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const self: Subject = nodeIdentity('host-1');
let folder: string;
let clock: FakeClock;
let ca: CertificateAuthority;
let first: KeyPair;
let certificate: ClientCertificate;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostler-own-certificate-'));
  clock = createFakeClock(Date.now());
  ca = await createAuthority('test', clock);
  first = await certificateOf(ca, self, clock, 10);
  await writeKubeconfig(first);
  file = join(folder, 'client.pem');
  certificate = createClientCertificate({ kubeConfig: join(folder, 'kubeconfig'), file, clock });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function writeKubeconfig(client: KeyPair, caPem = ca.certificatePem): Promise<void> {
  const content = { servers: ['https://127.0.0.1:1'] as [string], caPem, client, user: self.user };
  await writeFile(join(folder, 'kubeconfig'), renderKubeconfig(content));
}
/** What the API server issues for a draft. */
function issue({ requestPem }: CertificateDraft, subject = self, by = ca): Promise<string> {
  const { publicKey } = readSigningRequest(Buffer.from(requestPem).toString('base64'));
  const notBeforeMs = beginOf(clock);
  return certify(by, publicKey, {
    commonName: subject.user,
    organizations: subject.groups ?? [],
    usages: ['client', 'server'],
    notBeforeMs,
    notAfterMs: notBeforeMs + 10 * DAY_MS,
  });
}
/** What a connection that is made now is made with. */
const inUse = async () =>
  certificate.over({
    ca: Buffer.from(ca.certificatePem),
    cert: Buffer.from(first.certificatePem),
    key: Buffer.from(first.keyPem),
  });
const fingerprintOf = (pem: Buffer | string | undefined) => new X509Certificate(pem ?? '').fingerprint256;

describe('the certificate of a client', () => {
  it("is the kubeconfig's at first", async () => {
    const { notBeforeMs, notAfterMs, fingerprint } = (await certificate.facts()) ?? {};
    expect((notAfterMs ?? 0) - (notBeforeMs ?? 0)).toBe(10 * DAY_MS + 300_000);
    expect(fingerprint).toBe(fingerprintOf(first.certificatePem).replaceAll(':', '').toLowerCase());
    expect((await inUse()).cert?.toString()).toBe(first.certificatePem);
  });

  it('asks with a new key for the same name', async () => {
    const draft = await certificate.draft();
    const request = readSigningRequest(Buffer.from(draft.requestPem).toString('base64'));
    expect(request).toMatchObject({ commonName: self.user, organizations: self.groups });
    expect(request.fault).toBeUndefined();
    expect(await request.isOwnKey()).toBe(true);
    expect((await certificate.draft()).id).not.toBe(draft.id);
  });

  it.each([
    ['a short name', 'a', []],
    ['a name of many bytes and groups', 'ü'.repeat(60), ['hostler:nodes', 'x'.repeat(64), 'y'.repeat(64)]],
  ])('asks for %s in a request that OpenSSL takes', async (_what, user, groups) => {
    const { certificatePem } = await certificateOf(ca, { user, groups }, clock);
    const { requestPem, keyPem } = draftLike(certificatePem);
    const path = join(folder, 'request.pem');
    await writeFile(path, requestPem);
    const asked = await run('openssl', ['req', '-in', path, '-verify', '-noout', '-pubkey']);
    // Newer ones say it on standard output.
    expect(asked.stderr + asked.stdout).toContain('verify OK');
    expect(asked.stdout).toContain(createPublicKey(keyPem).export({ type: 'spki', format: 'pem' }));
    const { commonName, organizations } = readSigningRequest(Buffer.from(requestPem).toString('base64'));
    expect({ commonName, organizations }).toEqual({ commonName: user, organizations: groups });
  });

  it('is followed by the one that is taken, which is on the disk for its owner alone, key and all', async () => {
    let changes = 0;
    certificate.onChange(() => (changes += 1));
    await clock.advance(6 * DAY_MS);
    const draft = await certificate.draft();
    const issued = await issue(draft);
    await certificate.take(draft, issued);
    expect(changes).toBe(1);
    expect((await readdir(folder)).sort()).toEqual(['client.pem', 'kubeconfig']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toBe(`${issued.trim()}\n${draft.keyPem.trim()}\n`);
    const { cert, key } = await inUse();
    expect(fingerprintOf(cert)).toBe(fingerprintOf(issued));
    expect(new X509Certificate(cert ?? '').checkPrivateKey(createPrivateKey(key ?? ''))).toBe(true);
    // A start of the agent, later.
    const again = createClientCertificate({ kubeConfig: join(folder, 'kubeconfig'), file, clock });
    expect((await again.facts())?.fingerprint).toBe(fingerprintOf(issued).replaceAll(':', '').toLowerCase());
  });

  it.each<[string, () => Promise<[CertificateDraft, string]>]>([
    ['for another key', async () => [await certificate.draft(), await issue(await certificate.draft())]],
    [
      'for another name',
      async () => {
        const draft = await certificate.draft();
        return [draft, await issue(draft, nodeIdentity('host-2'))];
      },
    ],
    [
      'of another authority',
      async () => {
        const draft = await certificate.draft();
        return [draft, await issue(draft, self, await createAuthority('test', clock))];
      },
    ],
    [
      'that is over',
      async () => {
        const draft = await certificate.draft();
        const issued = await issue(draft);
        await clock.advance(11 * DAY_MS);
        return [draft, issued];
      },
    ],
    ['that is none', async () => [await certificate.draft(), 'nonsense']],
  ])('does not take one %s', async (_what, make) => {
    const [draft, issued] = await make();
    await expect(certificate.take(draft, issued)).rejects.toMatchObject({ code: 'Invalid' });
    expect(await readdir(folder)).toEqual(['kubeconfig']);
  });

  it("is the kubeconfig's again when a later one is put there", async () => {
    const draft = await certificate.draft();
    await certificate.take(draft, await issue(draft));
    await clock.advance(DAY_MS);
    first = await certificateOf(ca, self, clock, 1);
    await writeKubeconfig(first);
    expect((await inUse()).cert?.toString()).toBe(first.certificatePem);
    expect((await certificate.facts())?.notAfterMs).toBe(
      Date.parse(new X509Certificate(first.certificatePem).validTo),
    );
  });

  it("is the kubeconfig's where the file is damaged, or of another cluster", async () => {
    await writeFile(file, 'half of a certif');
    expect((await inUse()).cert?.toString()).toBe(first.certificatePem);
    const other = await createAuthority('test', clock);
    const { certificatePem, keyPem } = await certificateOf(other, self, clock, 20);
    await writeFile(file, `${certificatePem}${keyPem}`);
    expect((await inUse()).cert?.toString()).toBe(first.certificatePem);
  });

  it('says that the disk does not take it', async () => {
    const draft = await certificate.draft();
    const lost = createClientCertificate({
      kubeConfig: join(folder, 'kubeconfig'),
      file: join(folder, 'gone', 'client.pem'),
      clock,
    });
    await expect(lost.take(draft, await issue(draft))).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('is none where a token says who it is', async () => {
    expect(await certificate.over({ rejectUnauthorized: false })).toEqual({ rejectUnauthorized: false });
  });
});
