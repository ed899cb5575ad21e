import { expect } from '@jest/globals';
import { join } from 'node:path';
import type { Container } from '../../../src/crds/container.ts';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, type Trial } from '../scene.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const TEN = Array.from({ length: 10 }, (_, index) => `many-${index}`);

export function describeRunning(trial: Trial): void {
  trial.it('runs the first example: an address each, and each on a host of its own', async (scene) => {
    const { cluster, namespace } = scene;
    await scene.kubectl('apply', '-f', join(EXAMPLES, '01-first-container'));
    await scene.kubectl('wait', '--for=condition=Ready', 'container', '--all', '--timeout=30s');
    const names = ['web-1', 'web-2', 'web-3'];
    for (const name of names) {
      const { status } = await scene.until(
        'has an address',
        name,
        (found) => found.status?.addresses?.[0] !== undefined,
      );
      const instance = await scene.instance(name);
      expect(status).toMatchObject({ phase: 'Running', nodeName: instance.host.name, epoch: 1, restarts: 0 });
      expect(instance).toMatchObject({ status: 'Running', config: { 'boot.autostart': 'false' } });
      const [address = ''] = status?.addresses ?? [];
      await instance.host.exec(['busybox', 'ping', '-c1', '-W2', address]);
    }
    const hosts = await Promise.all(names.map(async (name) => (await scene.instance(name)).host.name));
    expect(hosts.sort()).toEqual(cluster.hosts.map(({ name }) => name));

    const rows = (await scene.kubectl('get', 'containers')).trim().split('\n');
    expect(rows[0]).toMatch(/^NAME +PHASE +NODE +IP +RESTARTS +AGE$/);
    expect(rows[1]).toMatch(/^web-1 +Running +host-\d +10\.88\.\d+\.\d+ +0 +\d+s$/);
    const described = await scene.kubectl('describe', 'container', 'web-1');
    expect(described).toMatch(/Normal +Scheduled .* Placed on host-/);
    expect(described).toMatch(new RegExp(`Normal +Created .* instance web-1--${namespace}`));
    expect(described).not.toContain('Warning');
  });

  trial.it('runs ten that are applied at once, about as many on each host', async (scene) => {
    await scene.apply(...TEN.map((name) => container(name)));
    await scene.untilReady(...TEN);
    const counts = await Promise.all(
      scene.cluster.hosts.map(
        async (host) =>
          (await host.instances()).filter(
            (name) => name.startsWith('many-') && name.endsWith(`--${scene.namespace}`),
          ).length,
      ),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  });

  trial.it('stops and starts with spec.power, and counts no restart', async (scene) => {
    await scene.apply(container('switched', { power: 'Stopped' }));
    await scene.untilSays('switched', 'Ready', 'PoweredOff');
    expect(await scene.instance('switched')).toMatchObject({ status: 'Stopped', pid: 0 });

    await power(scene, 'Running');
    await scene.untilReady('switched');
    expect(await scene.instance('switched')).toMatchObject({ status: 'Running' });

    await power(scene, 'Stopped');
    const stopped = await scene.untilSays('switched', 'Ready', 'PoweredOff');
    expect(await scene.instance('switched')).toMatchObject({ status: 'Stopped' });
    expect(stopped.status).toMatchObject({ phase: 'Stopped', restarts: 0 });
    expect(stopped.status?.addresses).toBeUndefined();
    expect(await scene.events('switched', 'Died')).toEqual([]);
  });

  trial.it('removes the instance first, and the object only then', async (scene) => {
    await scene.apply(container('brief'));
    await scene.untilReady('brief');
    const { host, name } = await scene.instance('brief');
    let last: Container | undefined;
    await scene.kubectl('delete', 'container', 'brief', '--wait=false');
    await eventually(
      'the object is gone',
      async () => {
        const found = await scene.get('brief');
        // Read after the object: as long as that was there, the instance may still be.
        const isThere = (await host.instances()).includes(name);
        if (found === undefined && isThere) throw new Error('The instance outlived its object');
        last = found ?? last;
        return found;
      },
      (found) => found === undefined,
    );
    expect(await scene.hasInstance('brief')).toBe(false);
    expect(last?.metadata.finalizers ?? []).toEqual(last === undefined ? [] : ['hostler.dev/host']);
  });

  trial.it('makes a new container of a name that was just deleted', async (scene) => {
    await scene.apply(container('again'));
    await scene.untilReady('again');
    const before = (await scene.get('again'))?.metadata.uid;
    await scene.kubectl('delete', 'container', 'again');
    await scene.apply(container('again'));
    await scene.until('is another one', 'again', (found) => found.metadata.uid !== before && isReady(found));
    const { config } = await scene.instance('again');
    expect(config['user.hostler.uid']).toBe((await scene.get('again'))?.metadata.uid);
  });

  trial.it('removes what is deleted while it is being created', async (scene) => {
    await scene.apply(container('hasty'));
    await scene.kubectl('delete', 'container', 'hasty', '--timeout=20s');
    expect(await scene.hasInstance('hasty')).toBe(false);
  });
}

function power(scene: Parameters<Parameters<Trial['it']>[1]>[0], state: string): Promise<string> {
  const patch = JSON.stringify({ spec: { power: state } });
  return scene.kubectl('patch', 'container', 'switched', '--type=merge', '-p', patch);
}
