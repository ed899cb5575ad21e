import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { isConditionTrue } from '../../../src/crds/conditions.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { type Migration, migrationKind, transferSecretName } from '../../../src/crds/migration.ts';
import { type StoragePool, storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { type Secret, secretRef } from '../../../src/crds/secret.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { startController } from '../../support/controller-process.ts';
import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import type { FakeNetwork } from '../../support/fake-transfers.ts';
import type { HostlerProcess } from '../../support/hostler-process.ts';
import { startTestAgent } from '../../support/test-agent.ts';
import { type Look, until } from '../../support/waiting.ts';

/**
 * Agents with identities of their own, and `hostler controller`, against the embedded API server over a real etcd: what the
 * API lets each of them do is enough for a migration, and no more.
 */
const IMAGE = 'images:debian/12';
const NAMES = ['host-1', 'host-2'] as const;
const { signal } = new AbortController();
const common = { clock, logger: silentLogger, metrics: noMetrics };

let api: TestApiServer;
let controller: HostlerProcess;
let people: ReturnType<typeof createObjectStore>;
const hosts = new Map<string, FakeHost>();
const stops: (() => Promise<void>)[] = [];

async function storeOf(user: string, groups: string[], timeoutMs = 10_000) {
  const kubeConfig = join(api.dataDir, `${user.replaceAll(':', '-')}.kubeconfig`);
  await writeFile(kubeConfig, await api.kubeconfigFor(user, groups));
  return createObjectStore({ ...common, kubeConfig, userAgent: 'test', requestTimeoutMs: timeoutMs });
}

async function startAgent(name: string, network: FakeNetwork): Promise<void> {
  const host = createFakeHost(clock, new Map(), {
    network,
    address: `https://192.0.2.1:${8443 + hosts.size}`,
  });
  host.images.set(IMAGE, 'a'.repeat(64));
  host.pools.clear();
  host.passMs = 200;
  hosts.set(name, host);
  const store = await storeOf(`system:hostler:node:${name}`, ['hostler:nodes']);
  const end = startTestAgent({ nodeName: name, host, store, stateFile: join(api.dataDir, `${name}.json`) });
  stops.push(async () => {
    await end();
    store.close();
  });
}

beforeAll(async () => {
  api = await startApiServer();
  people = createObjectStore({ ...common, kubeConfig: api.kubeconfigPath, userAgent: 'test' });
  controller = await startController(api);
  await controller.says('stderr', /"leading"/);
  const network: FakeNetwork = new Map();
  for (const name of NAMES) await startAgent(name, network);
  await people.create<StoragePool>(
    storagePoolKind,
    { apiVersion: API_VERSION, kind: 'StoragePool', metadata: { name: 'default' }, spec: { driver: 'dir' } },
    signal,
  );
}, 120_000);

afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await controller.stop();
  people.close();
  await api.stop();
}, 60_000);

const KEY = { namespace: 'default', name: 'web' };
const soon = <T>(what: string, look: Look<T>) => until(what, look, { withinMs: 60_000 });
const running = () =>
  [...hosts].filter(([, { instances }]) => instances.get('web--default')?.status === 'Running');

describe('a migration over a real API', () => {
  it('moves the container, by keys that only the target can read', async () => {
    await soon('both nodes are ready', async () => {
      const nodes = (await people.list<Node>(nodeKind, {}, signal)).items;
      const isReady = ({ status }: Node): boolean =>
        isConditionTrue(status?.conditions, 'Ready') && status?.pools?.[0]?.ready === true;
      return nodes.filter(isReady).length === NAMES.length;
    });
    const web: Container = {
      apiVersion: API_VERSION,
      kind: 'Container',
      metadata: { ...KEY },
      spec: { image: IMAGE, migration: { policy: 'Cold' } },
    };
    await people.create<Container>(containerKind, web, signal);
    const placed = await soon('the container runs', async () => {
      const found = await people.get<Container>(containerKind, KEY, signal);
      return found?.status?.phase === 'Running' && found;
    });
    const source = placed.status?.nodeName ?? '';
    const target = NAMES.find((name) => name !== source) ?? '';
    const instance = hosts.get(source)?.instances.get('web--default');
    if (instance !== undefined) instance.files = { log: 'kept' };
    await people.create<Migration>(
      migrationKind,
      {
        apiVersion: API_VERSION,
        kind: 'Migration',
        metadata: { name: 'm', namespace: 'default' },
        spec: { container: 'web' },
      },
      signal,
    );
    const offered = await soon('keys are on their way', async () => {
      const migration = await people.get<Migration>(
        migrationKind,
        { namespace: 'default', name: 'm' },
        signal,
      );
      const isThere = migration?.status?.sourceReport?.offered !== undefined;
      return isThere && migration;
    });
    const secret = { namespace: 'default', name: transferSecretName(offered) };
    const [its, others] = await Promise.all(
      [target, source].map((name) => storeOf(`system:hostler:node:${name}`, ['hostler:nodes'])),
    );
    await expect(others!.get<Secret>(secretRef, secret, signal)).rejects.toMatchObject({ code: 'Forbidden' });
    await expect(its!.get<Secret>(secretRef, secret, signal)).resolves.toBeDefined();
    its!.close();
    others!.close();
    const done = await soon('the migration is over', async () => {
      const migration = await people.get<Migration>(
        migrationKind,
        { namespace: 'default', name: 'm' },
        signal,
      );
      return (
        migration?.status?.completedAt !== undefined &&
        (migration.metadata.finalizers ?? []).length === 0 &&
        migration
      );
    });
    expect(done.status).toMatchObject({ phase: 'Succeeded', source, target, mode: 'Cold', transfer: 'Copy' });
    expect(running().map(([name]) => name)).toEqual([target]);
    expect(hosts.get(target)?.instances.get('web--default')?.files).toEqual({ log: 'kept' });
    expect(hosts.get(source)?.instances.size).toBe(0);
    expect(await people.get<Secret>(secretRef, secret, signal)).toBeUndefined();
  }, 180_000);
});
