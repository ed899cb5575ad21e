import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { stringify } from 'yaml';
import { localApi } from '../../../src/cmd/local/api.ts';
import { localServers } from '../../../src/config/local.ts';
import { type Container, instanceNameOf } from '../../../src/crds/container.ts';
import { type ClusterHost, startTestCluster, type TestCluster } from '../../support/cluster.ts';
import { eventually, throughout } from '../../support/waiting.ts';
import { container } from '../scene.ts';

/** A control plane on the three hosts, and the hosts' power plug: first that of the leader's, then a second server. */
const MOVES = ['moves-1', 'moves-2', 'moves-3'];
const STAYS: Readonly<Record<string, string>> = {
  'host-1': 'stays-1',
  'host-2': 'stays-2',
  'host-3': 'stays-3',
};
const ALL = [...MOVES, ...Object.values(STAYS)];
const PATH = '/apis/hostler.dev/v1alpha1/namespaces/default/containers';
/** Longer than the lease (5 s) and fenceDelay (3 s): what would be stopped, is by then. */
const BEYOND_LEASE_MS = 9_000;
/** For what takes seconds on a machine that has nothing else to do. */
const PATIENCE_MS = 120_000;

let cluster: TestCluster;
let lost: ClusterHost;
let left: ClusterHost[];
const acknowledged: string[] = [];

beforeAll(async () => {
  cluster = await startTestCluster({ replicas: 3 });
  const spread = [{ topologyKey: 'hostler.dev/host', maxSkew: 1, matchLabels: { app: 'moves' } }];
  const moving = MOVES.map((name) =>
    container(
      name,
      { failover: { policy: 'Recreate' }, placement: { spread } },
      { labels: { app: 'moves' } },
    ),
  );
  const staying = Object.entries(STAYS).map(([nodeName, name]) =>
    container(name, { placement: { nodeName } }),
  );
  const input = [...moving, ...staying].map((object) => stringify(object)).join('---\n');
  // On a machine that is busy with starting all this a member may lose sight of its leader: kubectl is cut off, and asks again.
  await eventually(
    'all are applied',
    () => cluster.kubectl.run(['apply', '-f', '-'], { input, code: 'any' }),
    ({ code }) => code === 0,
    PATIENCE_MS,
  );
  await eventually(
    'all run',
    () => placesOf(ALL),
    (places) => places.every(({ phase }) => phase === 'Running'),
    PATIENCE_MS,
  );
}, 240_000);

afterAll(async () => {
  // Undefined when it did not start.
  await (cluster as TestCluster | undefined)?.stop();
}, 60_000);

async function placesOf(names: readonly string[]): Promise<{ name: string; node: string; phase: string }[]> {
  const list = await cluster.get<{ items: Container[] }>(PATH);
  return (list?.items ?? [])
    .filter(({ metadata }) => names.includes(metadata.name))
    .map(({ metadata, status }) => ({
      name: metadata.name,
      node: status?.nodeName ?? '',
      phase: status?.phase ?? '',
    }));
}

/** The host whose server runs the controllers. */
async function leaderHost(): Promise<ClusterHost> {
  for (const server of localServers({ stateDir: cluster.stateDir, replicas: 3 })) {
    const { body } = await localApi(server.apiSocket, server.kubeconfig).request('GET', '/metrics');
    if (/^hostler_leader 1$/m.test(String(body))) return cluster.host(server.compartment);
  }
  throw new Error('No server leads');
}

/** What runs on these hosts, by their daemons: the first process of each instance. */
async function running(hosts: readonly ClusterHost[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const host of hosts) {
    for (const name of await host.instances()) {
      const instance = await host.instance(name);
      if (instance?.status === 'Running') found[name] = instance.pid;
    }
  }
  return found;
}

async function create(name: string): Promise<boolean> {
  const { code } = await cluster.kubectl.run(['create', 'configmap', name], { code: 'any' });
  if (code === 0) acknowledged.push(name);
  return code === 0;
}

async function expectAcknowledged(): Promise<void> {
  const kept = (await cluster.kubectl.text(['get', 'configmaps', '-o', 'name'])).split('\n');
  expect(acknowledged.filter((name) => !kept.includes(`configmap/${name}`))).toEqual([]);
}

const instance = (name: string): string => instanceNameOf({ metadata: { namespace: 'default', name } });

it('the loss of the host that leads loses nothing: the API goes on, and what may move does', async () => {
  // On a machine that is busy the one that led may just have given it up.
  lost = await eventually('a server leads', leaderHost, () => true, PATIENCE_MS);
  left = cluster.hosts.filter((host) => host !== lost);
  const before = await running(left);
  const moved = (await placesOf(MOVES)).filter(({ node }) => node === lost.name).map(({ name }) => name);
  expect(moved).toHaveLength(1);
  for (let index = 0; index < 3; index++) await create(`before-${index}`);
  await lost.cutPower();
  for (let index = 0; index < 10; index++) await create(`after-${index}`);
  expect(acknowledged.length).toBeGreaterThanOrEqual(10);
  await eventually(
    'what was there runs elsewhere',
    () => placesOf(moved),
    (places) => places.every(({ node, phase }) => node !== lost.name && phase === 'Running'),
    PATIENCE_MS,
  );
  const after = await running(left);
  expect(after).toMatchObject(before);
  expect(Object.keys(after).sort()).toEqual([...Object.keys(before), ...moved.map(instance)].sort());
  await expectAcknowledged();
}, 240_000);

it('the loss of a second server stops writes and says so; reads of the cache and containers go on', async () => {
  const before = await running(left);
  const [second, third] = left as [ClusterHost, ClusterHost];
  await cluster.kill(`${second.name} server`, `${second.name} etcd`);
  const { stderr } = await cluster.kubectl.run(['create', 'configmap', 'refused'], { code: 1 });
  expect(stderr).toContain('etcd has no leader');
  const cached = await cluster.kubectl.text(['get', '--raw', `${PATH}?resourceVersion=0`]);
  for (const name of ALL) expect(cached).toContain(`"name":"${name}"`);
  const ready = await cluster.kubectl.run(['get', '--raw', '/readyz'], { code: 1 });
  expect(ready.stderr).toContain('[-]etcd failed');
  const status = Object.fromEntries((await cluster.parts()).map(({ part, state }) => [part, state]));
  expect(status).toMatchObject({
    [`${lost.name} server`]: 'down',
    [`${second.name} server`]: 'down',
    [`${third.name} server`]: 'not ready',
    [`${third.name} guard`]: 'running',
  });
  await throughout(
    'everything runs on',
    () => running(left),
    (now) => Object.entries(before).every(([name, pid]) => now[name] === pid),
    BEYOND_LEASE_MS,
  );
}, 240_000);

it('when they are back all goes on, and each container runs once', async () => {
  const before = await running(left);
  await cluster.up();
  expect(await running(left)).toMatchObject(before);
  expect(await create('back')).toBe(true);
  await expectAcknowledged();
  await eventually(
    'everything runs, once',
    async () => Object.keys({ ...(await running(cluster.hosts)) }).sort(),
    (names) => names.join() === ALL.map(instance).sort().join(),
    PATIENCE_MS,
  );
  const on = await Promise.all(cluster.hosts.map((host) => running([host])));
  expect(on.flatMap((found) => Object.keys(found)).sort()).toEqual(ALL.map(instance).sort());
  expect((await cluster.parts()).filter(({ healthy }) => !healthy)).toEqual([]);
}, 240_000);
