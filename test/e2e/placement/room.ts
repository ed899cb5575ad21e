import { expect } from '@jest/globals';
import { container, type Scene, type Trial } from '../scene.ts';
import { unschedulable } from './nodes.ts';

const ANTI = { antiAffinity: [{ topologyKey: 'hostler.dev/host', matchLabels: { app: 'apart' } }] };
const LABELS = { labels: { app: 'apart' } };

export function describeRoom(trial: Trial): void {
  trial.it('is none for a request that is too large, until it is smaller', async (scene) => {
    await scene.apply(container('huge', { resources: { cpu: '50m', memory: '100Ti' } }));
    await unschedulable(scene, 'huge', '0/3 nodes fit: 3 Insufficient memory');
    expect(await scene.kubectl('describe', 'container', 'huge')).toMatch(
      /Warning +FailedScheduling .* 0\/3 nodes fit: 3 Insufficient memory/,
    );
    await scene.apply(container('huge', { resources: { cpu: '50m', memory: '32Mi' } }));
    await scene.untilReady('huge');
    expect((await scene.get('huge'))?.status?.epoch).toBe(1);
  });

  trial.it('is told for each node apart', async (scene) => {
    const block = (name: string, node: string) =>
      container(name, { placement: { nodeName: node }, resources: { cpu: '1500m', memory: '32Mi' } });
    await scene.apply(block('block-1', 'host-1'), block('block-2', 'host-2'));
    await scene.untilReady('block-1', 'block-2');
    await scene.kubectl('label', 'node', 'host-3', 'test/off=yes');
    const patch = (taints: object[]) =>
      scene.kubectl('patch', 'node', 'host-3', '--type=merge', '-p', JSON.stringify({ spec: { taints } }));
    scene.later(() => patch([]));
    scene.later(() => scene.kubectl('label', 'node', 'host-3', 'test/off-'));
    await patch([{ key: 'test/off', effect: 'NoSchedule' }]);
    await scene.apply(container('third', { resources: { cpu: '1', memory: '32Mi' } }));
    await unschedulable(
      scene,
      'third',
      '0/3 nodes fit: 2 Insufficient cpu, 1 had untolerated taint {test/off: }',
    );
    await scene.kubectl('delete', 'container', 'block-2');
    await scene.untilReady('third');
    expect((await scene.instance('third')).host.name).toBe('host-2');
  });

  trial.it('is apart from its like, and waits for a free host', async (scene) => {
    const names = ['apart-1', 'apart-2', 'apart-3'];
    await scene.apply(...names.map((name) => container(name, { placement: ANTI }, LABELS)));
    await scene.untilReady(...names);
    const hosts = await hostsOf(scene, names);
    expect(new Set(hosts).size).toBe(3);
    await scene.apply(container('apart-4', { placement: ANTI }, LABELS));
    await unschedulable(scene, 'apart-4', '0/3 nodes fit: 3 did not match anti-affinity');
    await scene.kubectl('delete', 'container', 'apart-2');
    await scene.untilReady('apart-4');
    expect((await scene.instance('apart-4')).host.name).toBe(hosts[1]);
  });

  trial.it('is never changed by an edit of a container that runs', async (scene) => {
    await scene.apply(container('settled'));
    await scene.untilReady('settled');
    const before = await scene.instance('settled');
    const elsewhere = before.host.name === 'host-1' ? 'host-2' : 'host-1';
    await scene.apply(container('settled', { placement: { nodeName: elsewhere } }));
    await scene.untilReady('settled');
    const after = await scene.instance('settled');
    expect([after.host.name, after.pid]).toEqual([before.host.name, before.pid]);
  });
}

async function hostsOf(scene: Scene, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map(async (name) => (await scene.instance(name)).host.name));
}
