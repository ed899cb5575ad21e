import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { type Condition, findCondition } from '../../../src/crds/conditions.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { type StoragePool, storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { startController } from '../../support/controller-process.ts';
import type { HostlerProcess } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { type ScriptedAgents, startAgents } from '../../support/scripted-agents.ts';
import { until } from '../../support/waiting.ts';

const { signal } = new AbortController();
const hosts = ['host-1', 'host-2', 'host-3'];
let api: TestApiServer;
let kubectl: Kubectl;
let store: ReturnType<typeof createObjectStore>;
let agents: ScriptedAgents;
let replicas: HostlerProcess[];

beforeAll(async () => {
  api = await startApiServer();
  kubectl = await createKubectl(api.kubeconfigPath);
  store = createObjectStore({ kubeConfig: api.kubeconfigPath, userAgent: 'test', logger: silentLogger });
  const first = await startController(api);
  replicas = [first];
  await first.says('stderr', /"leading"/);
  const second = await startController(api);
  replicas.push(second);
  await second.says('stderr', /another replica leads/);
  agents = startAgents(store, hosts);
}, 60_000);

afterAll(async () => {
  await Promise.all(replicas.map((one) => one.stop()));
  await agents.stop();
  store.close();
  await kubectl.close();
  await api.stop();
}, 60_000);

const containers = async () => (await store.list<Container>(containerKind, {}, signal)).items;
const pool = (name: string) => store.get<StoragePool>(storagePoolKind, { name }, signal);
const conditionOf = (conditions: readonly Condition[] | undefined, type: string) =>
  findCondition(conditions, type);
const manifest = (name: string, spec: object = {}) => ({
  apiVersion: API_VERSION,
  kind: 'Container',
  metadata: { name },
  spec: { image: 'images:alpine/3.20', ...spec },
});
const listOf = (items: object[]) => ({ apiVersion: 'v1', kind: 'List', items });

// The steps build on each other: one cluster, one story.
describe('the control plane over a real API', () => {
  it('places a container as soon as the pool that it misses is there', async () => {
    await until('three nodes', async () => (await store.list<Node>(nodeKind, {}, signal)).items.length === 3);
    await kubectl.apply(manifest('early'));
    await until('a reason', async () => {
      const [early] = await containers();
      const message = conditionOf(early?.status?.conditions, 'Scheduled')?.message;
      return message === '0/3 nodes fit: 3 storage pool default not found';
    });
    expect(await kubectl.text(['describe', 'container', 'early'])).toMatch(
      /FailedScheduling.*3 storage pool default not found/,
    );
    await kubectl.apply({
      apiVersion: API_VERSION,
      kind: 'StoragePool',
      metadata: { name: 'default' },
      spec: { driver: 'dir' },
    });
    await kubectl.run(['wait', '--for=condition=Scheduled', 'container/early', '--timeout=15s']);
    await until('a pool that is ready everywhere', async () => {
      const { status } = (await pool('default')) as StoragePool;
      return status?.readyNodes === 3 && status.selectedNodes === 3 && status.containers === 1;
    });
  });

  it('places sixty containers evenly, each once, while the leader is killed', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `c${index}`);
    const applying = kubectl.apply(listOf(names.map((name) => manifest(name))));
    await until(
      'some that are placed',
      async () => (await containers()).filter(({ status }) => status?.nodeName).length > 10,
    );
    const [leader, other] = replicas as [HostlerProcess, HostlerProcess];
    leader.signal('SIGKILL');
    const killedMs = performance.now();
    await applying;
    await other.says('stderr', /"leading"/);
    const tookMs = Math.round(performance.now() - killedMs);
    await until('all that are placed', async () =>
      (await containers()).every(({ status }) => status?.nodeName),
    );
    process.stdout.write(`leader killed: another leads after ${tookMs} ms\n`);
    const all = await containers();
    expect(all.map(({ status }) => status?.epoch)).toEqual(Array.from({ length: 61 }, () => 1));
    const counts = hosts
      .map((host) => all.filter(({ status }) => status?.nodeName === host).length)
      .sort((a, b) => a - b);
    expect(counts).toEqual([20, 20, 21]);
  });

  it('writes nothing while nothing changes, but for the leases', async () => {
    const versions = async () =>
      JSON.stringify(
        await Promise.all(
          [containerKind, nodeKind, storagePoolKind].map(async (ref) =>
            (await store.list(ref, {}, signal)).items.map(({ metadata }) => metadata.resourceVersion),
          ),
        ),
      );
    await pause(1_000);
    const before = await versions();
    await pause(2_000);
    expect(await versions()).toBe(before);
  });

  it('says that nothing is heard of a silent node, and leaves it to the agent when it is back', async () => {
    agents.silence('host-2');
    await kubectl.run(['wait', '--for=condition=Ready=Unknown', 'node/host-2', '--timeout=15s']);
    await until('containers that are unknown', async () => {
      const there = (await containers()).filter(({ status }) => status?.nodeName === 'host-2');
      return there.every(
        ({ status }) => conditionOf(status?.conditions, 'Ready')?.reason === 'NotRecoverable',
      );
    });
    await kubectl.apply(manifest('pinned', { placement: { nodeName: 'host-2' } }));
    const message = await until('a reason', async () => {
      const pinned = (await containers()).find(({ metadata }) => metadata.name === 'pinned');
      return conditionOf(pinned?.status?.conditions, 'Scheduled')?.message;
    });
    expect(message).toBe('0/3 nodes fit: 2 not the pinned node host-2, 1 not ready');
    agents.resume('host-2');
    await kubectl.run(['wait', '--for=condition=Scheduled', 'container/pinned', '--timeout=15s']);
  });

  it('takes a pool through its whole life', async () => {
    const fast = { apiVersion: API_VERSION, kind: 'StoragePool', metadata: { name: 'fast' } };
    await kubectl.apply({
      ...fast,
      spec: { driver: 'dir', reclaimPolicy: 'Delete', nodeSelector: { 'hostler.dev/host': 'host-1' } },
    });
    await kubectl.run(['wait', '--for=condition=Ready', 'storagepool/fast', '--timeout=15s']);
    expect((await pool('fast'))?.status).toMatchObject({ readyNodes: 1, selectedNodes: 1, containers: 0 });
    await kubectl.apply(manifest('on-fast', { rootPool: 'fast' }));
    await kubectl.run([
      'wait',
      '--for=jsonpath={.status.nodeName}=host-1',
      'container/on-fast',
      '--timeout=15s',
    ]);
    await kubectl.run(['delete', 'container/on-fast', '--timeout=15s']);
    await until('an unused pool', async () => (await pool('fast'))?.status?.containers === 0);
    await kubectl.run(['delete', 'storagepool/fast', '--timeout=15s']);
    expect(await pool('fast')).toBeUndefined();
  });

  it('ends cleanly on SIGTERM, and gives the lead away', async () => {
    const [, leader] = replicas;
    expect(await leader?.stop()).toBe(0);
    expect(leader?.stderr).toMatch(/"reason":"stopped","settled":true/);
  });
});
