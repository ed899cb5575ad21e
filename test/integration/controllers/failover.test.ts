import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { configMapRef, type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { CONTROLLER, startController } from '../../support/controller-process.ts';
import { type HostlerProcess, startHostler } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { probeRbac, readRoles } from '../../support/rbac.ts';
import { type ScriptedAgents, startAgents } from '../../support/scripted-agents.ts';
import { type Look, until } from '../../support/waiting.ts';

const { signal } = new AbortController();
const hosts = ['host-1', 'host-2', 'host-3'];
let api: TestApiServer;
let kubectl: Kubectl;
let store: ReturnType<typeof createObjectStore>;
let agents: ScriptedAgents;
let controller: HostlerProcess;
/** What another Kubernetes cluster would allow the controllers. */
const rbac = probeRbac(readRoles('controller'), ({ user }) => user.name === CONTROLLER);

beforeAll(async () => {
  api = await startApiServer({ authorizer: rbac });
  kubectl = await createKubectl(api.kubeconfigPath);
  store = createObjectStore({ kubeConfig: api.kubeconfigPath, userAgent: 'test', logger: silentLogger });
  controller = await startController(api);
  agents = startAgents(store, hosts);
}, 60_000);

afterAll(async () => {
  await controller.stop();
  await agents.stop();
  store.close();
  await kubectl.close();
  await api.stop();
}, 60_000);

const containers = async () => (await store.list<Container>(containerKind, {}, signal)).items;
const on = async (host: string) => (await containers()).filter(({ status }) => status?.nodeName === host);
const lease = (name: string) => store.get<Lease>(leaseRef, { namespace: 'hostler-nodes', name }, signal);
const nodeOf = (name: string) => store.get<Node>(nodeKind, { name }, signal);
const soon = <T>(what: string, look: Look<T>) =>
  until(what, look, { clue: () => controller.stderr.slice(-4_000) });
const manifest = (name: string, spec: object = {}) => ({
  apiVersion: API_VERSION,
  kind: 'Container',
  metadata: { name },
  spec: { image: 'images:alpine/3.20', failover: { policy: 'Recreate' }, ...spec },
});
const versions = async () =>
  JSON.stringify(
    await Promise.all(
      [containerKind, nodeKind, storagePoolKind, configMapRef].map(async (ref) =>
        (await store.list(ref, {}, signal)).items.map(({ metadata }) => metadata.resourceVersion),
      ),
    ),
  );

// The steps build on each other: one cluster, one story.
describe('failover over a real API', () => {
  it('lets the nodes in, counts them, and writes nothing more but for the leases', async () => {
    await kubectl.apply({
      apiVersion: API_VERSION,
      kind: 'StoragePool',
      metadata: { name: 'default' },
      spec: { driver: 'dir' },
    });
    await soon('three that count', async () => {
      const key = { namespace: 'hostler-nodes', name: 'hostler-members' };
      const map = (await store.get(configMapRef, key, signal)) as
        | { data?: Record<string, string> }
        | undefined;
      return map?.data?.['members'] === JSON.stringify(hosts);
    });
    await soon('valid leases and pools', async () => {
      const nodes = await Promise.all(hosts.map(nodeOf));
      return nodes.every(
        (one) =>
          findCondition(one?.status?.conditions, 'LeaseValid')?.status === 'True' &&
          one?.status?.pools?.some(({ ready }) => ready),
      );
    });
    // Only now: nodes that are not there yet get nothing.
    const names = Array.from({ length: 30 }, (_, index) => `c${index}`);
    const items = [
      ...names.map((name) => manifest(name)),
      manifest('stays', { failover: { policy: 'Stay' }, placement: { nodeName: 'host-2' } }),
    ];
    await kubectl.apply({ apiVersion: 'v1', kind: 'List', items });
    await soon('all that are placed', async () =>
      (await containers()).every(({ status }) => status?.nodeName),
    );
    expect((await containers()).map(({ status }) => status?.term)).toEqual(
      Array.from({ length: 31 }, () => 1),
    );
    await pause(1_500);
    const before = await versions();
    await pause(2_500);
    expect(await versions()).toBe(before);
  });

  it('places the containers of a silent node elsewhere, and leaves the one that stays', async () => {
    const lost = (await on('host-2')).length;
    agents.silence('host-2');
    const startMs = performance.now();
    const firstMs = await soon(
      'the first move',
      async () => (await on('host-2')).length < lost && performance.now(),
    );
    await soon('all moves', async () => (await on('host-2')).length === 1);
    const endMs = performance.now();
    process.stdout.write(
      `node silent (duration 3 s + fenceDelay 1 s): first of ${lost - 1} containers placed elsewhere after ${Math.round(firstMs - startMs)} ms, last after ${Math.round(endMs - startMs)} ms\n`,
    );
    expect(firstMs - startMs).toBeGreaterThan(3_500);
    expect((await lease('host-2'))?.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 });
    await kubectl.run(['wait', '--for=condition=Fenced', 'node/host-2', '--timeout=10s']);
    await soon('a reason', async () => {
      const [stays] = await on('host-2');
      return (
        stays?.status?.phase === 'Lost' &&
        findCondition(stays.status.conditions, 'Ready')?.reason === 'NotRecoverable'
      );
    });
  });

  it('lets it in again with the next term', async () => {
    agents.resume('host-2');
    await soon('a new term', async () => (await lease('host-2'))?.spec?.leaseTransitions === 2);
    await kubectl.run(['wait', '--for=condition=LeaseValid', 'node/host-2', '--timeout=10s']);
    await soon('no taints', async () => (await nodeOf('host-2'))?.status?.taints === undefined);
    expect((await lease('host-2'))?.spec?.holderIdentity).toBe('host-2');
  });

  it('moves nothing while all are silent', async () => {
    await pause(1_000);
    const places = async () =>
      JSON.stringify((await containers()).map(({ status }) => [status?.nodeName, status?.epoch]));
    const before = await places();
    for (const host of hosts) agents.silence(host);
    await soon('a halt', async () => {
      const nodes = await Promise.all(hosts.map(nodeOf));
      return nodes.every((one) => findCondition(one?.status?.conditions, 'Fenced')?.reason === 'StormBrake');
    });
    await pause(3_000);
    expect(await places()).toBe(before);
    for (const host of hosts) agents.resume(host);
    await soon('valid leases', async () => {
      const nodes = await Promise.all(hosts.map(nodeOf));
      return nodes.every((one) => findCondition(one?.status?.conditions, 'LeaseValid')?.status === 'True');
    });
    expect((await lease('host-1'))?.spec?.leaseTransitions).toBe(1);
    expect(await places()).toBe(before);
  });

  it('fences a node whose lease was deleted, by a lease that it makes anew', async () => {
    agents.silence('host-3');
    await store.delete(leaseRef, { namespace: 'hostler-nodes', name: 'host-3' }, {}, signal);
    const revoked = await soon('a revoked lease', () => lease('host-3'));
    expect(revoked.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 });
    agents.resume('host-3');
    await soon('a new term', async () => (await lease('host-3'))?.spec?.leaseTransitions === 2);
  });

  it('takes an operator at their word only about a node that is silent, and asks a device with its Secret', async () => {
    await kubectl.run(['annotate', 'nodes.hostler.dev', 'host-1', 'hostler.dev/fenced-by=alice']);
    await soon('no word', async () => {
      const { annotations = {} } = (await nodeOf('host-1'))?.metadata ?? {};
      return annotations['hostler.dev/fenced-by'] === undefined;
    });
    const redfish = { url: 'https://127.0.0.1:9/redfish/v1/Systems/1', secretName: 'bmc' };
    await store.mergePatch(
      nodeKind,
      { name: 'host-3' },
      { body: { spec: { fencing: { redfish } } } },
      signal,
    );
    agents.silence('host-3');
    const body = { metadata: { annotations: { 'hostler.dev/guard': 'absent' } } };
    await store.mergePatch(leaseRef, { namespace: 'hostler-nodes', name: 'host-3' }, { body }, signal);
    await soon('a look at the Secret', async () => rbac.asked.has('get secrets'));
    expect((await lease('host-3'))?.spec?.holderIdentity).toBe('host-3');
    agents.resume('host-3');
    await soon('a valid lease', async () => {
      const found = await nodeOf('host-3');
      return findCondition(found?.status?.conditions, 'LeaseValid')?.status === 'True';
    });
  });

  it('asked for nothing that manifests/rbac does not allow, in all of that', () => {
    expect([...rbac.refused]).toEqual([]);
    expect([...rbac.asked]).toEqual(
      expect.arrayContaining([
        'create configmaps',
        'create leases.coordination.k8s.io',
        'get secrets',
        'list leases.coordination.k8s.io',
        'patch containers.hostler.dev',
        'patch nodes.hostler.dev',
        'update containers/status.hostler.dev',
        'update leases.coordination.k8s.io',
        'update nodes/status.hostler.dev',
        'watch configmaps',
      ]),
    );
  });

  it('shows beforehand what the loss of a node would do', async () => {
    const plan = startHostler(['plan', 'node-loss', 'host-1', '--kubeconfig', api.kubeconfigPath]);
    await plan.says('stdout', /would wait for host-1\./);
    expect(plan.stdout).toMatch(
      /^host-1 is fenced 4 s after its last renewal\.\n\nCONTAINER +PRIORITY +GOES TO +HOW\n/,
    );
    expect(await plan.ended).toBe(0);
    const wrong = startHostler(['plan', 'node-loss', 'host-9', '--kubeconfig', api.kubeconfigPath]);
    await wrong.says('stderr', /There is no node host-9: there are host-1, host-2, host-3/);
    expect(await wrong.ended).toBe(1);
  });
});
