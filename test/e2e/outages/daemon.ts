import { expect } from '@jest/globals';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, nodeSays, type Trial } from '../scene.ts';

const ON_3 = { placement: { nodeName: 'host-3' } };

export function describeDaemonOutages(trial: Trial): void {
  trial.it('that is killed and started again finds its containers running', async (scene) => {
    const { cluster } = scene;
    await scene.apply(container('lasting', ON_3), container('ended', ON_3));
    await scene.untilReady('lasting', 'ended');
    const lasting = await scene.instance('lasting');
    const ended = await scene.instance('ended');
    await cluster.kill('host-3 daemon');
    await eventually(
      'the node says that its daemon is away',
      () => nodeSays(cluster, 'host-3', 'Ready'),
      (said) => said?.reason === 'RuntimeUnavailable',
    );
    expect(lasting.host.isAlive(lasting.pid)).toBe(true);
    await lasting.host.exec(['kill', '-9', String(ended.pid)]);
    await cluster.up();
    await scene.until(
      'is restarted and counted',
      'ended',
      (found) => isReady(found) && found.status?.restarts === 1,
    );
    const kept = await scene.until('is Ready', 'lasting', isReady);
    expect(kept.status?.restarts).toBe(0);
    expect((await scene.instance('lasting')).pid).toBe(lasting.pid);
    // Events of the daemon are heard again.
    await scene.killInit('lasting');
    await scene.until('is restarted', 'lasting', (found) => isReady(found) && found.status?.restarts === 1);
  });

  trial.it('that is killed while it creates loses nothing and makes nothing twice', async (scene) => {
    const names = ['half-1', 'half-2', 'half-3', 'half-4'];
    await scene.apply(...names.map((name) => container(name, ON_3)));
    await eventually(
      'the daemon has begun',
      () => scene.cluster.host('host-3').instances(),
      (instances) => instances.some((name) => name.endsWith(`--${scene.namespace}`)),
    );
    await scene.cluster.kill('host-3 daemon');
    await scene.cluster.up();
    await scene.untilReady(...names);
    for (const name of names) expect((await scene.instance(name)).status).toBe('Running');
  });
}
