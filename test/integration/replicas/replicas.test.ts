import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigMap, configMapRef } from '../../../src/crds/lease.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { hasCode, messageOf } from '../../../src/ports/errors.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import type { ObjectStore } from '../../../src/ports/object-store.ts';
import { createInformer, type Informer } from '../../../src/reconcile/informer.ts';
import { eventually } from '../../support/waiting.ts';
import { startHostler } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { configMap } from '../../support/manifests.ts';
import { type Replica, type Replicas, startReplicas } from '../../support/replicas.ts';

/** Three servers over three members of etcd: what is lost when one of them is, and when two are. */
let replicas: Replicas;
let kubectl: Kubectl;
let store: ObjectStore & { close(): void };
let informer: Informer<ConfigMap>;
let lists = 0;
const stop = new AbortController();
let ended: Promise<void>;
const { signal } = stop;

beforeAll(async () => {
  replicas = await startReplicas();
  kubectl = await createKubectl(replicas.kubeconfig);
  store = open(replicas.all);
  const counting: Pick<ObjectStore, 'list' | 'watch'> = {
    list: (ref, options, inner) => {
      lists += 1;
      return store.list(ref, options, inner);
    },
    watch: (ref, options, inner) => store.watch(ref, options, inner),
  };
  informer = createInformer({
    store: counting,
    ref: configMapRef,
    namespace: 'default',
    clock: systemClock,
    logger,
  });
  ended = informer.start(signal);
  await eventually('the informer has synced', () => Promise.resolve(informer.hasSynced()), Boolean);
}, 120_000);
afterAll(async () => {
  stop.abort();
  await ended;
  store.close();
  await kubectl.close();
  await replicas.stop();
}, 60_000);

const named = (name: string): ConfigMap => configMap(name, {}, { namespace: 'default' }) as ConfigMap;

function open(servers: readonly Replica[]): ObjectStore & { close(): void } {
  const urls = servers.map(({ url }) => url);
  return createObjectStore({ kubeConfig: replicas.kubeconfig, servers: urls, userAgent: 'test', logger });
}

/** Creates objects one after the other, whatever happens, until told to end. @returns the names that were acknowledged */
function keepWriting(prefix: string): { acknowledged: string[]; end: () => Promise<void> } {
  const acknowledged: string[] = [];
  const over = new AbortController();
  const write = async (): Promise<void> => {
    for (let index = 0; !over.signal.aborted; index++) {
      const name = `${prefix}-${index}`;
      try {
        await store.create(configMapRef, named(name), signal);
        acknowledged.push(name);
      } catch (error) {
        if (!hasCode(error, 'Unavailable', 'Timeout')) throw error;
      }
    }
  };
  const running = write();
  return {
    acknowledged,
    async end() {
      over.abort();
      await running;
    },
  };
}

async function untilMore(written: readonly string[], count: number): Promise<void> {
  const enough = written.length + count;
  await eventually(
    `${enough} writes`,
    () => Promise.resolve(written.length),
    (length) => length >= enough,
    40_000,
  );
}

async function expectKept(names: readonly string[]): Promise<void> {
  const { items } = await store.list<ConfigMap>(configMapRef, { namespace: 'default' }, signal);
  const kept = new Set(items.map(({ metadata }) => metadata.name));
  expect(names.filter((name) => !kept.has(name))).toEqual([]);
  await eventually(
    'the informer has seen all of it',
    () => Promise.resolve(new Set(informer.cache.list().map(({ metadata }) => metadata.name))),
    (seen) => names.every((name) => seen.has(name)),
  );
}

it('a server that is stopped cleanly and started again costs no list', async () => {
  for (const replica of replicas.all) {
    expect(await replica.process.stop()).toBe(0);
    await store.create(configMapRef, named(`without-${replica.name}`), signal);
    replica.start();
    await replica.isReady();
  }
  await expectKept(replicas.all.map(({ name }) => `without-${name}`));
  expect(lists).toBe(1);
}, 120_000);

it('nor do all of them at once, although none remembers what was before', async () => {
  await Promise.all(replicas.all.map((replica) => replica.process.stop()));
  for (const replica of replicas.all) replica.start();
  await Promise.all(replicas.all.map((replica) => replica.isReady()));
  await store.create(configMapRef, named('anew'), signal);
  await expectKept(['anew']);
  expect(lists).toBe(1);
}, 120_000);

it('the loss of the machine that leads, twice over, loses nothing that was acknowledged', async () => {
  const { acknowledged, end } = keepWriting('led');
  for (const find of [() => replicas.etcdLeader(), () => replicas.leader()]) {
    await untilMore(acknowledged, 5);
    const lost = await find();
    await lost.kill();
    await untilMore(acknowledged, 20);
    expect((await kubectl.run(['get', 'nodes'])).stderr).toContain('No resources found');
    await eventually(
      'another one leads',
      () => replicas.leader(),
      (leader) => leader !== lost,
    );
    lost.start();
    await lost.isReady();
  }
  await end();
  await expectKept(acknowledged);
  expect(lists).toBe(1);
}, 180_000);

it('one that is frozen is left by clients and by kubectl, and takes part again when it goes on', async () => {
  const frozen = await replicas.etcdLeader();
  const { acknowledged, end } = keepWriting('frozen');
  await untilMore(acknowledged, 5);
  await frozen.signal('SIGSTOP');
  try {
    await untilMore(acknowledged, 20);
    await eventually('kubectl is answered', () => kubectl.text(['get', 'configmaps', '-o', 'name']), Boolean);
  } finally {
    await frozen.signal('SIGCONT');
  }
  await end();
  await expectKept(acknowledged);
  const own = open([frozen]);
  try {
    await eventually(
      'it answers again',
      () => own.create(configMapRef, named('thawed'), signal),
      () => true,
    );
  } finally {
    own.close();
  }
}, 120_000);

it('with two lost, writes end and say why, reads of the cache go on, and all goes on when one is back', async () => {
  await store.create(configMapRef, named('before'), signal);
  const [left, ...lost] = replicas.all as [Replica, Replica, Replica];
  const direct = open([left]);
  const path = '/api/v1/namespaces/default/configmaps/before';
  await eventually(
    'it has seen the write',
    () => kubectl.text(['get', '--raw', `${path}?resourceVersion=0`]),
    Boolean,
  );
  await Promise.all(lost.map((replica) => replica.kill()));
  try {
    const refused = await direct
      .create(configMapRef, named('during'), signal)
      .catch((error: unknown) => error);
    expect(hasCode(refused, 'Unavailable', 'Timeout')).toBe(true);
    expect(messageOf(refused)).toContain('etcd has no leader, since most of its members are down or cut off');

    const get = await kubectl.run(['get', 'configmaps'], { code: 1 });
    expect(get.stderr).toContain('etcd has no leader');
    expect(await kubectl.text(['get', '--raw', `${path}?resourceVersion=0`])).toContain('"name":"before"');
    const list = await kubectl.text([
      'get',
      '--raw',
      '/api/v1/namespaces/default/configmaps?resourceVersion=0',
    ]);
    expect(list).toContain('"name":"before"');
    const ready = await kubectl.run(['get', '--raw', '/readyz'], { code: 1 });
    expect(ready.stderr).toMatch(/\[-\]etcd failed: the store does not answer: .*etcd has no leader/);
    expect(await kubectl.text(['get', '--raw', '/livez'])).toBe('ok');

    lost[0]?.start();
    await lost[0]?.isReady();
    await direct.create(configMapRef, named('after'), signal);
    await expectKept(['before', 'after']);
  } finally {
    direct.close();
    for (const replica of lost.slice(1)) replica.start();
    await lost[1]?.isReady();
  }
}, 120_000);

it('a server that starts while there is no majority says so, and goes on by itself when there is one', async () => {
  const [one, ...others] = replicas.all as [Replica, Replica, Replica];
  await Promise.all(replicas.all.map((replica) => replica.kill()));
  one.start();
  const alive = await eventually(
    'it lives',
    () => kubectl.text(['get', '--raw', '/livez']),
    (text) => text === 'ok',
  );
  expect(alive).toBe('ok');
  const ready = await kubectl.run(['get', '--raw', '/readyz'], { code: 1 });
  expect(ready.stderr).toContain('[-]etcd failed');
  for (const replica of others) replica.start();
  await Promise.all(replicas.all.map((replica) => replica.isReady()));
  await expectKept(['before', 'after']);
}, 120_000);

/** Removes a member of etcd; one that is still there was not removed, as while the others elect a leader. @returns whether it is gone */
async function withoutMember(by: Replica, id: string): Promise<boolean> {
  if (!(await replicas.etcdctl(by, 'member', 'list')).includes(id)) return true;
  await replicas.etcdctl(by, 'member', 'remove', id);
  return false;
}

it('a member whose disk is lost is replaced, and takes part with all of the data', async () => {
  const lost = replicas.all[2] as Replica;
  const by = replicas.all[0] as Replica;
  await lost.kill();
  await rm(join(lost.dataDir, 'etcd'), { recursive: true });
  const members = await replicas.etcdctl(by, 'member', 'list');
  const [, id = '', url = ''] = new RegExp(`^(\\w+), \\w+, ${lost.name}, ([^,]+)`, 'm').exec(members) ?? [];
  await eventually('the member is removed', () => withoutMember(by, id), Boolean);
  // etcd takes no member while the others have not been connected for five seconds.
  await eventually(
    'the member is added',
    () => replicas.etcdctl(by, 'member', 'add', lost.name, `--peer-urls=${url}`),
    () => true,
  );
  lost.start('--etcd-join');
  await lost.isReady();
  const own = open([lost]);
  try {
    const read = () => own.get(configMapRef, { namespace: 'default', name: 'before' }, signal);
    expect(await eventually('it has the data', read, Boolean)).toMatchObject({ kind: 'ConfigMap' });
    expect((await replicas.etcdctl(lost, 'member', 'list')).match(/started/g)).toHaveLength(3);
  } finally {
    own.close();
  }
}, 120_000);

it('a server without the authorities that the others have does not start', async () => {
  const dataDir = join(replicas.all[0]?.dataDir ?? '', 'stranger');
  const members = 'a=https://127.0.0.1:1,b=https://127.0.0.1:2,c=https://127.0.0.1:3';
  const flags = [
    '--data-dir',
    dataDir,
    '--listen',
    '127.0.0.1:0',
    '--etcd-members',
    members,
    '--etcd-name',
    'a',
  ];
  const stranger = startHostler(['server', ...flags]);
  expect(await stranger.ended).toBe(1);
  expect(stranger.stderr).toContain("make them once, with 'hostler certificate authorities");
  expect(existsSync(join(dataDir, 'etcd'))).toBe(false);
}, 60_000);
