import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { etcdPkiFolder } from '../../../src/apiserver/pki/folders.ts';
import { createApiServer } from '../../../src/apiserver/server.ts';
import { openEtcd, type ServerEtcd } from '../../../src/cmd/control-plane/etcd.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFakeStorage } from '../../support/fake-storage.ts';
import { until } from '../../support/waiting.ts';

/** A server that has run for 250 days: what it holds of certificates was good for a year, and a third of that is not left. */
const DAY_MS = 86_400_000;
const AGE_MS = 250 * DAY_MS;
const HALF_A_DAY_MS = DAY_MS / 2;
const { signal } = new AbortController();
let dataDir: string;
let clock: FakeClock;
let measured: Map<string, number>;
const closers: (() => Promise<unknown>)[] = [];
const metrics = {
  ...noMetrics,
  set(name: string, value: number, labels: Readonly<Record<string, string>> = {}) {
    if (name === 'hostler_certificate_expiry_seconds')
      measured.set(labels['certificate'] ?? '', value * 1_000);
  },
};

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'hostler-old-server-'));
  // Certificates of now are good for TLS, which knows nothing of this clock.
  clock = createFakeClock(Date.now() - AGE_MS - HALF_A_DAY_MS);
  measured = new Map();
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await rm(dataDir, { recursive: true, force: true });
});

async function shownAt(url: string, tls: object = {}): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ...tls });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerX509Certificate() as X509Certificate;
  socket.destroy();
  return fingerprint256;
}

const untilOther = (what: string, first: string, look: () => Promise<string>) =>
  until(`${what} is another`, async () => (await look()) !== first);

/** Until today, and the next look at the certificates. */
async function grow(): Promise<void> {
  clock.setWall(clock.nowMs() + AGE_MS);
  await clock.advance(HALF_A_DAY_MS);
}

describe('the certificates of a server that is not restarted', () => {
  it('those of the API and of admin.kubeconfig are renewed, and served', async () => {
    const storage = createFakeStorage();
    const deps = { storage, clock, logger, metrics, metricsText: () => Promise.resolve('') };
    const server = createApiServer({ dataDir, listen: [{ host: '127.0.0.1', port: 0 }] }, deps);
    closers.push(() => server.stop());
    const { urls } = await server.start(signal);
    const [url = ''] = urls;
    const admin = async () => {
      const text = await readFile(join(dataDir, 'admin.kubeconfig'), 'utf8');
      const { users } = parse(text) as { users: { user: Record<string, string> }[] };
      return users[0]?.user['client-certificate-data'] ?? '';
    };
    const [shown, kubeconfig] = [await shownAt(url), await admin()];
    const ends = new Map(measured);
    expect([...ends.keys()].sort()).toEqual(['admin', 'ca', 'server']);
    await grow();
    await untilOther('what the API shows', shown, () => shownAt(url));
    await untilOther('the certificate in admin.kubeconfig', kubeconfig, admin);
    expect((measured.get('server') ?? 0) - (ends.get('server') ?? 0)).toBeGreaterThanOrEqual(AGE_MS);
    expect((measured.get('admin') ?? 0) - (ends.get('admin') ?? 0)).toBeGreaterThanOrEqual(AGE_MS);
    expect(measured.get('ca')).toBe(ends.get('ca'));
  });

  it('those of its etcd are renewed, and etcd takes them up, while clients go on', async () => {
    const etcd: ServerEtcd = await openEtcd(
      { dataDir, etcd: { kind: 'embedded' } },
      { clock, logger, metrics },
      signal,
    );
    closers.push(() => etcd.stop());
    const open = () => {
      const storage = createEtcdStorage({ ...etcd.options, logger });
      closers.push(() => storage.close());
      return storage;
    };
    const before = open();
    const value = Buffer.from('x');
    expect(await before.put('/a', value, 0)).toMatchObject({ ok: true });
    const pki = etcdPkiFolder(dataDir);
    const [cert, key] = await Promise.all([
      readFile(join(pki, 'client.crt')),
      readFile(join(pki, 'client.key')),
    ]);
    const [endpoint = ''] = etcd.options.endpoints;
    const look = () => shownAt(endpoint, { cert, key });
    const shown = await look();
    const ends = new Map(measured);
    expect([...ends.keys()].sort()).toEqual(['etcd-ca', 'etcd-client', 'etcd-peer', 'etcd-server']);
    await grow();
    await untilOther('what etcd shows', shown, look);
    const peerEnd = () => Promise.resolve(String(measured.get('etcd-peer')));
    await untilOther('the certificate for peers', String(ends.get('etcd-peer')), peerEnd);
    expect(await before.put('/b', value, 0)).toMatchObject({ ok: true });
    expect(await open().put('/c', value, 0)).toMatchObject({ ok: true });
    for (const name of ['etcd-server', 'etcd-peer']) {
      expect((measured.get(name) ?? 0) - (ends.get(name) ?? 0)).toBeGreaterThanOrEqual(AGE_MS);
    }
    // What the server itself connects with lasts as long as it can run.
    expect((measured.get('etcd-client') ?? 0) - clock.nowMs()).toBeGreaterThan(9 * 365 * DAY_MS - AGE_MS);
  }, 60_000);
});
