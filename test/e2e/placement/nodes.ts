import { expect } from '@jest/globals';
import { findCondition } from '../../../src/crds/conditions.ts';
import { container, type Scene, type Trial } from '../scene.ts';

export function describeNodes(trial: Trial): void {
  trial.it('is the pinned node, or none', async (scene) => {
    await scene.apply(
      container('pinned', { placement: { nodeName: 'host-2' } }),
      container('adrift', { placement: { nodeName: 'host-9' } }),
    );
    await scene.untilReady('pinned');
    expect((await scene.instance('pinned')).host.name).toBe('host-2');
    const message = /^0\/3 nodes fit: 3 not the pinned node host-9 \(there is no such node\)$/;
    await scene.untilSays('adrift', 'Scheduled', 'Unschedulable', message);
    await scene.untilEvent('adrift', 'FailedScheduling', message);
    expect(await scene.hasInstance('adrift')).toBe(false);
  });

  trial.it('has the labels of the selector, once a node has them', async (scene) => {
    await scene.apply(container('choosy', { placement: { nodeSelector: { 'test/disk': 'fast' } } }));
    await unschedulable(scene, 'choosy', '0/3 nodes fit: 3 did not match the node selector');
    scene.later(() => scene.kubectl('label', 'node', 'host-3', 'test/disk-'));
    await scene.kubectl('label', 'node', 'host-3', 'test/disk=fast');
    await scene.untilReady('choosy');
    expect((await scene.instance('choosy')).host.name).toBe('host-3');
  });

  trial.it('stays what it is when a node is cordoned, but nothing new comes', async (scene) => {
    const placement = { nodeName: 'host-1' };
    await scene.apply(container('earlier', { placement }));
    await scene.untilReady('earlier');
    const { pid } = await scene.instance('earlier');
    await patchNode(scene, 'host-1', { unschedulable: true }, { unschedulable: false });
    await scene.apply(container('later', { placement }));
    await unschedulable(scene, 'later', '0/3 nodes fit: 2 not the pinned node host-1, 1 unschedulable');
    expect((await scene.instance('earlier')).pid).toBe(pid);
    expect(await scene.kubectl('get', 'node', 'host-1', '--no-headers')).toMatch(/^host-1 +True +true /);
    await scene.kubectl('patch', 'node', 'host-1', '--type=merge', '-p', '{"spec":{"unschedulable":false}}');
    await scene.untilReady('later');
    expect((await scene.instance('later')).host.name).toBe('host-1');
  });

  trial.it('is tainted only for those that tolerate it', async (scene) => {
    const taints = [{ key: 'test/only', value: 'db', effect: 'NoSchedule' }];
    for (const node of ['host-1', 'host-2', 'host-3']) {
      await patchNode(scene, node, { taints }, { taints: [] });
    }
    const tolerations = [{ key: 'test/only', value: 'db', effect: 'NoSchedule' }];
    await scene.apply(container('plain'), container('db', { placement: { tolerations } }));
    await scene.untilReady('db');
    await unschedulable(scene, 'plain', '0/3 nodes fit: 3 had untolerated taint {test/only: db}');
    await scene.kubectl('patch', 'node', 'host-2', '--type=merge', '-p', '{"spec":{"taints":[]}}');
    await scene.untilReady('plain');
    expect((await scene.instance('plain')).host.name).toBe('host-2');
  });

  trial.it('counts what a node keeps for itself', async (scene) => {
    const before = await scene.kubectl('get', 'node', 'host-1', '-o', 'jsonpath={.status.allocatable.cpu}');
    await patchNode(scene, 'host-1', { reserved: { cpu: '1500m' } }, { reserved: null });
    // What is left is the agent's word.
    const lessCpu = `jsonpath={.status.allocatable.cpu}=${Number(before) * 1000 - 1500}m`;
    await scene.kubectl('wait', 'node/host-1', '--timeout=20s', `--for=${lessCpu}`);
    await scene.apply(
      container('wide', { placement: { nodeName: 'host-1' }, resources: { cpu: '600m', memory: '32Mi' } }),
    );
    await unschedulable(scene, 'wide', '0/3 nodes fit: 2 not the pinned node host-1, 1 Insufficient cpu');
    await scene.kubectl('patch', 'node', 'host-1', '--type=merge', '-p', '{"spec":{"reserved":null}}');
    await scene.untilReady('wide');
  });
}

/** Waits until the controller says exactly this, and looks for the instance that must not be there. */
export async function unschedulable(scene: Scene, name: string, message: string): Promise<void> {
  const found = await scene.until(`Scheduled says '${message}'`, name, ({ status }) => {
    const scheduled = findCondition(status?.conditions, 'Scheduled');
    return scheduled?.status === 'False' && scheduled.message === message;
  });
  expect(found.status).toMatchObject({ phase: 'Pending' });
  expect(await scene.hasInstance(name)).toBe(false);
}

/** Puts `after` into the node's spec at the end of the test. */
async function patchNode(scene: Scene, node: string, spec: object, after: object): Promise<void> {
  const patch = (to: object) =>
    scene.kubectl('patch', 'node', node, '--type=merge', '-p', JSON.stringify({ spec: to }));
  scene.about(`node/${node}`);
  scene.later(() => patch(after));
  await patch(spec);
}
