import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NODES_GROUP } from '../../../src/apiserver/auth/user.ts';
import { type Container, containerKind, type ContainerSpec } from '../../../src/crds/container.ts';
import { API_VERSION, HOST_FINALIZER, NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { type StoragePool, storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { eventRef } from '../../../src/kube/event-recorder.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { systemClock as clock } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import type { ObjectStore } from '../../../src/ports/object-store.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import { letIn } from '../../support/let-in.ts';
import { probeRbac, readRoles } from '../../support/rbac.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { startTestAgent } from '../../support/test-agent.ts';
import { until } from '../../support/waiting.ts';

/**
 * The agent, as its own identity, against the embedded API server over a real etcd, on a host in memory: what the API
 * lets it write, what it hears, and what it does while the API is cut off.
 */
const NODE = 'host-1';
const IMAGE = 'images:debian/12';
const never = new AbortController().signal;

let api: TestApiServer;
/** What another Kubernetes cluster would allow the agents. */
const rbac = probeRbac(readRoles('agent'), ({ user }) => user.groups.includes(NODES_GROUP));
let proxy: TcpProxy;
let folder: string;
let people: ObjectStore & { close(): void };

interface Started {
  host: FakeHost;
  stop(): Promise<void>;
}

const started: Started[] = [];

async function startAgent(host = createFakeHost(clock)): Promise<Started> {
  host.images.set(IMAGE, 'a'.repeat(64));
  const kubeConfig = join(folder, 'agent.kubeconfig');
  const common = { clock, logger: silentLogger, metrics: noMetrics };
  const store = createObjectStore({
    ...common,
    kubeConfig,
    servers: [proxy.endpoint.replace('http:', 'https:')],
    userAgent: 'test',
    requestTimeoutMs: 2_000,
    pingMs: 500,
  });
  const leaseStore = createObjectStore({
    ...common,
    kubeConfig,
    servers: [proxy.endpoint.replace('http:', 'https:')],
    userAgent: 'test',
    requestTimeoutMs: 450,
    resetOnTimeout: true,
  });
  const end = startTestAgent(
    {
      nodeName: NODE,
      host,
      store,
      leaseStore: letIn(leaseStore, () => people),
      stateFile: join(folder, 'desired-state.json'),
    },
    { resyncMs: 60_000 },
  );
  const one: Started = {
    host,
    async stop() {
      await end();
      store.close();
      leaseStore.close();
    },
  };
  started.push(one);
  return one;
}

const read = (name: string) => people.get<Container>(containerKind, { namespace: 'default', name }, never);

/** What a person and the leader do between them. */
async function place(name: string, spec: Partial<ContainerSpec> = {}, nodeName = NODE): Promise<void> {
  const created = await people.create<Container>(
    containerKind,
    {
      apiVersion: API_VERSION,
      kind: 'Container',
      metadata: { name, namespace: 'default', finalizers: [HOST_FINALIZER] },
      spec: { image: IMAGE, ...spec },
    },
    never,
  );
  await people.updateStatus<Container>(
    containerKind,
    { ...created, status: { nodeName, epoch: 1, phase: 'Scheduled' } },
    never,
  );
}

const running = (name: string, more: (container: Container) => boolean = () => true) =>
  until(`${name} is Running`, async () => {
    const container = await read(name);
    return container?.status?.phase === 'Running' && more(container) && container;
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostler-agent-'));
  api = await startApiServer({ authorizer: rbac });
  proxy = await startTcpProxy(new URL(api.url).host);
  await writeFile(join(folder, 'agent.kubeconfig'), await api.nodeKubeconfig(NODE));
  people = createObjectStore({
    kubeConfig: api.kubeconfigPath,
    userAgent: 'test',
    logger: silentLogger,
    clock,
  });
}, 60_000);

afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

afterAll(async () => {
  people?.close();
  await proxy?.stop();
  await api?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the agent against the API server', () => {
  it('registers, renews, makes pools, and runs a container through its whole life', async () => {
    const { host } = await startAgent();
    await until('the node is Ready', async () => {
      const node = await people.get<Node>(nodeKind, { name: NODE }, never);
      return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });
    const lease = await people.get<Lease>(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name: NODE }, never);
    expect(lease?.spec).toMatchObject({ holderIdentity: NODE, leaseDurationSeconds: 5 });

    await people.create<StoragePool>(
      storagePoolKind,
      { apiVersion: API_VERSION, kind: 'StoragePool', metadata: { name: 'fast' }, spec: { driver: 'dir' } },
      never,
    );
    await until('the pool is ready', async () => {
      const node = await people.get<Node>(nodeKind, { name: NODE }, never);
      return node?.status?.pools?.some(({ name, ready }) => name === 'fast' && ready);
    });

    await place('web', { rootPool: 'fast', resources: { memory: '32Mi' } });
    const first = await running('web', ({ status }) => (status?.addresses ?? []).length > 0);
    expect(first.status).toMatchObject({ restarts: 0, epoch: 1, instanceName: 'web--default' });

    host.crash('web--default');
    await running('web', ({ status }) => status?.restarts === 1);

    await people.mergePatch(
      containerKind,
      { namespace: 'default', name: 'web' },
      { body: { spec: { power: 'Stopped' } } },
      never,
    );
    await until('it is Stopped', async () => (await read('web'))?.status?.phase === 'Stopped');
    expect(host.instances.get('web--default')?.status).toBe('Stopped');

    await people.delete(containerKind, { namespace: 'default', name: 'web' }, {}, never);
    await until('it is gone', async () => (await read('web')) === undefined);
    expect(host.instances.size).toBe(0);
    const reasons = await until('its events', async () => {
      const { items } = await people.list<never>(eventRef, { namespace: 'default' }, never);
      const found = (items as { reason: string }[]).map(({ reason }) => reason);
      return found.includes('Removed') && found;
    });
    expect(reasons).toEqual(
      expect.arrayContaining(['Pulled', 'Created', 'Died', 'Started', 'Stopped', 'Removed']),
    );
  });

  it('runs many at once, and writes nothing more when all of them run', async () => {
    await startAgent();
    const names = Array.from({ length: 20 }, (_, i) => `many-${i}`);
    await Promise.all(names.map((name) => place(name)));
    for (const name of names) await running(name, ({ status }) => (status?.addresses ?? []).length > 0);
    await pause(2_500);
    const versions = async () =>
      (await people.list<Container>(containerKind, { namespace: 'default' }, never)).items
        .map(({ metadata }) => metadata.resourceVersion)
        .join();
    const node = async () =>
      (await people.get<Node>(nodeKind, { name: NODE }, never))?.metadata.resourceVersion;
    const before = [await versions(), await node()];
    await pause(5_000);
    expect([await versions(), await node()]).toEqual(before);
    await Promise.all(
      names.map((name) => people.delete(containerKind, { namespace: 'default', name }, {}, never)),
    );
    for (const name of names) await until(`${name} is gone`, async () => (await read(name)) === undefined);
  });

  it('goes on while the API is cut off, after its own restart too, and catches up when it is back', async () => {
    const before = await startAgent();
    const { host } = before;
    await place('stay', { restart: { backoff: { initial: '100ms' } } });
    await place('leave');
    await running('stay');
    await running('leave');
    await pause(300);

    proxy.refuse();
    proxy.cut();
    host.crash('stay--default');
    await until('it runs again', () => host.instances.get('stay--default')?.status === 'Running');
    await before.stop();
    started.pop();
    const leaving = (await read('leave')) as Container;
    await people.updateStatus<Container>(
      containerKind,
      { ...leaving, status: { ...leaving.status, nodeName: 'host-2', epoch: 2 } },
      never,
    );
    host.crash('stay--default');
    await startAgent(host);
    await until('it runs again', () => host.instances.get('stay--default')?.status === 'Running');
    expect(host.instances.get('leave--default')?.status).toBe('Running');

    proxy.heal();
    await running('stay', ({ status }) => status?.restarts === 2);
    await until('what was placed elsewhere is removed', () => !host.instances.has('leave--default'));
    expect((await read('leave'))?.status).toMatchObject({ nodeName: 'host-2', epoch: 2 });
  });

  it('asked for nothing that manifests/rbac does not allow, in all of that', () => {
    expect([...rbac.refused]).toEqual([]);
    expect([...rbac.asked]).toEqual(
      expect.arrayContaining([
        'create events',
        'create nodes.hostler.dev',
        'get namespaces',
        'list containers.hostler.dev',
        'patch containers.hostler.dev',
        'update containers/status.hostler.dev',
        'update nodes/status.hostler.dev',
        'update leases.coordination.k8s.io',
        'watch configmaps',
        'watch storagepools.hostler.dev',
      ]),
    );
  });
});
