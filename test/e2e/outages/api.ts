import { expect } from '@jest/globals';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, type Trial } from '../scene.ts';

const AGENTS = ['host-1 agent', 'host-2 agent', 'host-3 agent'];
const NAMES = ['one', 'two', 'three'];

export function describeApiOutages(trial: Trial): void {
  trial.it('that is killed stops nothing; agents restart what ends, and say so afterwards', async (scene) => {
    const { cluster } = scene;
    await scene.apply(...NAMES.map((name) => container(name)));
    await scene.untilReady(...NAMES);
    const before = await Promise.all(NAMES.map((name) => scene.instance(name)));
    await cluster.kill('server', 'etcd');
    await scene.untilRunsAnew('one', await scene.killInit('one'));
    // And once more by an agent that has never heard the API.
    await cluster.kill(...AGENTS);
    for (const { name } of cluster.hosts) await cluster.startAgent(name);
    await scene.untilRunsAnew('two', await scene.killInit('two'));
    expect((await scene.instance('three')).pid).toBe(before[2]?.pid);

    await cluster.startControlPlane();
    await scene.until('is counted', 'one', (found) => isReady(found) && found.status?.restarts === 1);
    await scene.until('is counted', 'two', (found) => isReady(found) && found.status?.restarts === 1);
    await scene.untilReady('three');
    expect((await scene.get('three'))?.status?.restarts).toBe(0);
    expect((await scene.instance('three')).pid).toBe(before[2]?.pid);
  });

  trial.it('and all else of Hostler, killed at once after an apply, lose nothing', async (scene) => {
    const { cluster } = scene;
    await scene.apply(...NAMES.map((name) => container(name)));
    await scene.untilReady(...NAMES);
    const pids = async () => Promise.all(NAMES.map(async (name) => (await scene.instance(name)).pid));
    const before = await pids();
    const uids = await Promise.all(NAMES.map(async (name) => (await scene.get(name))?.metadata.uid));
    await scene.apply(container('acknowledged'), container('one', { config: { 'user.note': 'kept' } }));
    await cluster.kill('server', 'etcd', 'forward', ...AGENTS);
    expect(await pids()).toEqual(before);

    await cluster.up();
    await scene.untilReady(...NAMES, 'acknowledged');
    expect(await pids()).toEqual(before);
    expect((await scene.instance('one')).config['user.note']).toBe('kept');
    for (const [index, name] of NAMES.entries()) {
      const found = await scene.get(name);
      expect(found?.metadata.uid).toBe(uids[index]);
      expect(found?.status).toMatchObject({ restarts: 0, epoch: 1 });
    }
    expect(await scene.instance('acknowledged')).toMatchObject({ status: 'Running' });
  });

  trial.it('without its etcd, or frozen, answers again by itself', async (scene) => {
    const { cluster } = scene;
    await scene.apply(container('through'));
    await scene.untilReady('through');
    const { pid } = await scene.instance('through');
    await cluster.kill('etcd');
    await eventually(
      'an apply succeeds',
      () => scene.apply(container('after-etcd')),
      () => true,
    );
    await scene.untilReady('after-etcd');

    scene.later(() => cluster.signal('server', 'SIGCONT'));
    await cluster.signal('server', 'SIGSTOP');
    await scene.untilRunsAnew('after-etcd', await scene.killInit('after-etcd'));
    await cluster.signal('server', 'SIGCONT');
    await scene.until('is counted', 'after-etcd', (found) => isReady(found) && found.status?.restarts === 1);
    expect((await scene.instance('through')).pid).toBe(pid);
    expect((await scene.get('through'))?.status?.restarts).toBe(0);
  });

  trial.it('that cannot be reached from one host leaves its containers alone', async (scene) => {
    const host = scene.cluster.host('host-1');
    await scene.apply(container('cut', { placement: { nodeName: 'host-1' } }));
    await scene.untilReady('cut');
    scene.later(() => host.setLink(true));
    await host.setLink(false);
    await scene.untilRunsAnew('cut', await scene.killInit('cut'));
    await scene.kubectl('delete', 'container', 'cut', '--wait=false');
    expect((await scene.instance('cut')).status).toBe('Running');
    await host.setLink(true);
    await scene.untilGone('cut');
    expect(await scene.hasInstance('cut')).toBe(false);
  });
}
