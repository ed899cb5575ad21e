import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { containerKind } from '../../../src/crds/container.ts';
import { nodeKind } from '../../../src/crds/node.ts';
import { type AgentWorld, clusterOf, createAgentWorld } from './agent-world.ts';

const WEB = 'web--default';

/** The agent before a store that is not, or not any more, the one that its containers came from. */
describe('an agent whose API is', () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
    world.place('web');
    // Long enough for a look at how far the store has come.
    await world.clock.advance(30_000);
    await world.stop();
  });

  afterEach(() => world.stop());

  /** The same host and disk before an API that knows nothing of them. */
  const restart = async (uid: string, options = {}, atVersion = 0) => {
    const { host, file, clock } = world;
    await world.stop();
    world = createAgentWorld(options, { host, file, clock, clusterUid: uid });
    for (let i = 0; i < atVersion; i++) world.store.seed(clusterOf(uid));
    await world.start();
    await world.clock.advance(30_000);
  };
  const nodeReady = () => world.node()?.status?.conditions?.find(({ type }) => type === 'Ready');

  it('the same removes what is gone there', async () => {
    await restart('cluster-1', {}, 500);
    expect(world.host.instances.has(WEB)).toBe(false);
    expect(nodeReady()).toMatchObject({ status: 'True' });
  });

  it.each([
    ['that of another cluster', 'cluster-2', 500, 'ForeignCluster'],
    ['a wiped one', 'cluster-2', 0, 'ForeignCluster'],
    ['one from a backup', 'cluster-1', 0, 'StoreWentBack'],
  ])('%s keeps everything, says so, and goes on restarting', async (_what, uid, atVersion, reason) => {
    await restart(uid, {}, atVersion);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    expect(nodeReady()).toMatchObject({ status: 'False', reason });
    expect(world.reasons()).toContain(reason);
    expect(world.agent().unready()).toContain('cluster-guard');
    world.host.crash(WEB);
    await world.clock.advance(1);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    for (const method of ['stopInstance', 'deleteInstance']) expect(world.calls(method)).toEqual([]);

    world.place('web', { power: 'Stopped' }, { uid: 'uid-other' });
    world.place('db');
    await world.clock.advance(60_000);
    for (const method of ['stopInstance', 'deleteInstance']) expect(world.calls(method)).toEqual([]);
    expect([...world.host.instances.keys()]).toEqual([WEB]);

    await restart(uid, {}, 1_000);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    expect(nodeReady()).toMatchObject({ status: 'False', reason });
    await restart(uid, { acceptCluster: uid });
    expect(world.host.instances.has(WEB)).toBe(false);
    expect(nodeReady()).toMatchObject({ status: 'True' });
  });

  it('swapped while it runs is noticed by the very read that would remove', async () => {
    await restart('cluster-1', { statusMs: 3_600_000 }, 500);
    world.place('late');
    await world.clock.advance(1_000);
    world.store.seed(clusterOf('cluster-2'));
    const late = world.container('late');
    world.store.seed({ ...late, status: { nodeName: 'host-2', epoch: 2 } } as never);
    await world.clock.advance(60_000);
    expect(world.host.instances.get('late--default')?.status).toBe('Running');
    expect(world.calls('deleteInstance')).toEqual(['deleteInstance web--default']);
    expect(world.agent().unready()).toContain('cluster-guard');
  });

  it('a wiped one from one moment to the next says so, although what it follows shows nothing of it', async () => {
    await restart('cluster-1', {}, 500);
    world.store.seed(clusterOf('cluster-2'));
    const stalled = world.store.faults.stallWatches();
    const signal = new AbortController().signal;
    await world.store.delete(nodeKind, { name: 'host-1' }, {}, signal);
    await world.clock.advance(30_000);
    expect(nodeReady()).toMatchObject({ status: 'False', reason: 'ForeignCluster' });
    stalled();
  });

  it('without the Namespace, or away, proves nothing', async () => {
    world.store.faults.failNext('Forbidden', { verb: 'get', resource: 'namespaces', times: 1_000 });
    await world.store.delete(
      containerKind,
      { namespace: 'default', name: 'web' },
      {},
      new AbortController().signal,
    );
    await world.start();
    await world.clock.advance(30_000);
    expect(world.host.instances.get(WEB)?.status).toBe('Running');
    expect(nodeReady()?.reason).not.toBe('ForeignCluster');
  });
});
