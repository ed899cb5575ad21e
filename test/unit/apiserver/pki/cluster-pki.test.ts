import { execFile } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { createAuthority, issueCertificate } from '../../../../src/apiserver/pki/certificates.ts';
import {
  ensureClusterPki,
  issueClientCertificate,
  loadClusterAuthority,
} from '../../../../src/apiserver/pki/cluster-pki.ts';
import { ensureEtcdPki } from '../../../../src/apiserver/pki/etcd-pki.ts';
import { writeKubeconfig } from '../../../../src/apiserver/pki/kubeconfig.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

const run = promisify(execFile);
const DAY_MS = 86_400_000;
const NAMES = ['localhost', '127.0.0.1', '::1'];
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hostler-pki-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const now = () => createFakeClock(Date.now());

describe('ensureClusterPki', () => {
  it('passes openssl verify -x509_strict for each purpose', async () => {
    await ensureClusterPki({ dir, serverNames: NAMES, clock: now() });
    const verify = (purpose: string, name: string) =>
      run('openssl', [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        join(dir, 'ca.crt'),
        join(dir, `${name}.crt`),
      ]);
    expect((await verify('sslserver', 'server')).stdout).toContain('OK');
    expect((await verify('sslclient', 'admin')).stdout).toContain('OK');
    await expect(verify('sslclient', 'server')).rejects.toThrow(/purpose/);
  });

  it('keys are for their owner alone, and no half-written file is left', async () => {
    await ensureClusterPki({ dir, serverNames: NAMES, clock: now() });
    const names = await readdir(dir);
    expect(names.sort()).toEqual(['admin.crt', 'admin.key', 'ca.crt', 'ca.key', 'server.crt', 'server.key']);
    for (const name of names.filter((one) => one.endsWith('.key'))) {
      expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  it('a second call changes nothing, also with the names in another order and spelling', async () => {
    const clock = now();
    const first = await ensureClusterPki({ dir, serverNames: NAMES, clock });
    const serverNames = ['0:0:0:0:0:0:0:1', '127.0.0.1', 'LOCALHOST'];
    expect(await ensureClusterPki({ dir, serverNames, clock })).toEqual(first);
  });

  it('issues the server certificate again when the names change, under the same CA', async () => {
    const clock = now();
    const first = await ensureClusterPki({ dir, serverNames: NAMES, clock });
    const second = await ensureClusterPki({ dir, serverNames: [...NAMES, 'api.example.com'], clock });
    expect(second.ca).toEqual(first.ca);
    expect(second.admin).toEqual(first.admin);
    expect(new X509Certificate(second.server.certificatePem).checkHost('api.example.com')).toBe(
      'api.example.com',
    );
  });

  it('issues again when a third of the life is left, and not before', async () => {
    const clock = now();
    const first = await ensureClusterPki({ dir, serverNames: NAMES, clock });
    clock.setWall(clock.nowMs() + 240 * DAY_MS);
    expect(await ensureClusterPki({ dir, serverNames: NAMES, clock })).toEqual(first);
    clock.setWall(clock.nowMs() + 10 * DAY_MS);
    const later = await ensureClusterPki({ dir, serverNames: NAMES, clock });
    expect(later.server.certificatePem).not.toBe(first.server.certificatePem);
    expect(later.ca).toEqual(first.ca);
  });

  it.each(['server.key', 'server.crt'])('mends a %s that does not fit', async (name) => {
    const clock = now();
    await ensureClusterPki({ dir, serverNames: NAMES, clock });
    await writeFile(join(dir, name), await readFile(join(dir, name.replace('server', 'admin'))));
    const { server } = await ensureClusterPki({ dir, serverNames: NAMES, clock });
    const certificate = new X509Certificate(server.certificatePem);
    expect(certificate.checkPrivateKey(createPrivateKey(server.keyPem))).toBe(true);
    expect(certificate.subject).toBe('CN=hostler-apiserver');
  });

  it('never makes another CA where the key of the present one is missing', async () => {
    const clock = now();
    await ensureClusterPki({ dir, serverNames: NAMES, clock });
    await rm(join(dir, 'ca.key'));
    await expect(ensureClusterPki({ dir, serverNames: NAMES, clock })).rejects.toThrow(
      /ca\.key is missing while .*ca\.crt is there/,
    );
  });
});

describe('issueClientCertificate', () => {
  it('puts the user into CN and each group into an O of its own', async () => {
    const ca = await createAuthority('test', now());
    const pair = await issueClientCertificate({ ca, user: 'system:bob', groups: ['a', 'b'], clock: now() });
    expect(new X509Certificate(pair.certificatePem).subject).toBe('O=a\nO=b\nCN=system:bob');
  });

  it.each(['', '#04', 'a\nb'])('refuses the user %j', async (user) => {
    const ca = await createAuthority('test', now());
    await expect(issueClientCertificate({ ca, user, groups: [], clock: now() })).rejects.toThrow(
      'not a usable name',
    );
  });

  it('never outlives its CA', async () => {
    const clock = now();
    const ca = await createAuthority('test', clock);
    const pair = await issueCertificate(
      ca,
      { commonName: 'x', usages: ['client'], validDays: 100_000 },
      clock,
    );
    expect(new X509Certificate(pair.certificatePem).validTo).toBe(
      new X509Certificate(ca.certificatePem).validTo,
    );
  });
});

it('loadClusterAuthority says what is missing', async () => {
  await expect(loadClusterAuthority(dir)).rejects.toThrow('the API server makes it at its first start');
});

it('ensureEtcdPki makes certificates for server, peers and client', async () => {
  const clock = now();
  const pki = await ensureEtcdPki({ dir, serverNames: ['127.0.0.1'], clock });
  for (const { certFile } of [pki.server, pki.peer]) {
    for (const purpose of ['sslserver', 'sslclient']) {
      await run('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', pki.caFile, certFile]);
    }
  }
  const again = await ensureEtcdPki({ dir, serverNames: ['127.0.0.1'], clock });
  expect(again).toEqual(pki);
});

it('ensureEtcdPki keeps the keys that etcd reads while it runs, and never a foreign one', async () => {
  const clock = now();
  const first = await ensureEtcdPki({ dir, serverNames: ['127.0.0.1'], clock });
  const [key, certificate] = await Promise.all([
    readFile(first.server.keyFile, 'utf8'),
    readFile(first.server.certFile, 'utf8'),
  ]);
  clock.setWall(clock.nowMs() + 250 * DAY_MS);
  await ensureEtcdPki({ dir, serverNames: ['127.0.0.1'], clock });
  expect(await readFile(first.server.keyFile, 'utf8')).toBe(key);
  const renewed = new X509Certificate(await readFile(first.server.certFile, 'utf8'));
  expect(renewed.raw.equals(new X509Certificate(certificate).raw)).toBe(false);
  expect(renewed.checkPrivateKey(createPrivateKey(key))).toBe(true);
  await writeFile(first.server.keyFile, await readFile(first.peer.keyFile));
  await ensureEtcdPki({ dir, serverNames: ['127.0.0.1'], clock });
  const mended = new X509Certificate(await readFile(first.server.certFile, 'utf8'));
  expect(mended.checkPrivateKey(createPrivateKey(await readFile(first.server.keyFile, 'utf8')))).toBe(true);
  expect(await readFile(first.server.keyFile, 'utf8')).not.toBe(await readFile(first.peer.keyFile, 'utf8'));
});

it('a kubeconfig has everything inside and is for its owner alone', async () => {
  const clock = now();
  const { ca, admin } = await ensureClusterPki({ dir, serverNames: NAMES, clock });
  const path = join(dir, 'admin.kubeconfig');
  await writeKubeconfig(path, {
    servers: ['https://127.0.0.1:6443'],
    caPem: ca.certificatePem,
    client: admin,
    user: 'me',
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const config = parse(await readFile(path, 'utf8')) as {
    'current-context': string;
    users: { user: Record<string, string> }[];
  };
  expect(config['current-context']).toBe('me@hostler');
  const key = config.users[0]?.user['client-key-data'] ?? '';
  expect(Buffer.from(key, 'base64').toString()).toBe(admin.keyPem);
});
