import { expect } from '@jest/globals';
import { openDesiredStateFile } from '../../../src/agent/state/desired-state-file.ts';
import { desiredStatePath } from '../../support/cluster.ts';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, nodeSays, type Scene, type Trial } from '../scene.ts';

const ON_2 = { placement: { nodeName: 'host-2' } };

export function describeAgentOutages(trial: Trial): void {
  trial.it('that is killed and started again adopts what runs', async (scene) => {
    await scene.apply(container('kept', ON_2));
    await scene.untilReady('kept');
    const before = await scene.instance('kept');
    await scene.cluster.kill('host-2 agent');
    expect(before.host.isAlive(before.pid)).toBe(true);
    await scene.cluster.startAgent('host-2');
    // A new one shows that the agent works again, and has looked at its containers.
    await scene.apply(container('newer', ON_2));
    await scene.untilReady('newer');
    const kept = await scene.until('is Ready', 'kept', isReady);
    expect(kept.status?.restarts).toBe(0);
    expect((await scene.instance('kept')).pid).toBe(before.pid);
  });

  trial.it('that was down restarts what ended meanwhile, and counts it', async (scene) => {
    await scene.apply(container('ended', ON_2), container('stayed', ON_2));
    await scene.untilReady('ended', 'stayed');
    const stayed = await scene.instance('stayed');
    await untilSaved(scene, 'ended');
    await scene.cluster.kill('host-2 agent');
    await scene.killInit('ended');
    await eventually(
      'the daemon has noticed',
      () => scene.instance('ended'),
      ({ status }) => status === 'Stopped',
    );
    await scene.cluster.startAgent('host-2');
    const ended = await scene.until(
      'runs again',
      'ended',
      (found) => isReady(found) && found.status?.restarts === 1,
    );
    expect(ended.status?.lastRestart?.reason).toBe('Error');
    await scene.untilEvent('ended', 'Died', /ended by itself/);
    expect((await scene.instance('stayed')).pid).toBe(stayed.pid);
    expect((await scene.get('stayed'))?.status?.restarts).toBe(0);
  });

  trial.it('that hangs makes its node unknown, takes nothing new and moves nothing', async (scene) => {
    await scene.apply(container('here', ON_2));
    await scene.untilReady('here');
    const { pid } = await scene.instance('here');
    scene.about('node/host-2');
    scene.later(() => scene.cluster.signal('host-2 agent', 'SIGCONT'));
    await scene.cluster.signal('host-2 agent', 'SIGSTOP');
    await untilNodeReady(scene, 'Unknown');
    await scene.apply(container('there'), container('pinned', ON_2));
    await scene.untilReady('there');
    expect((await scene.instance('there')).host.name).not.toBe('host-2');
    await scene.untilSays(
      'pinned',
      'Scheduled',
      'Unschedulable',
      /^0\/3 nodes fit: 2 not the pinned node host-2, 1 not ready$/,
    );
    expect((await scene.instance('here')).pid).toBe(pid);
    await scene.cluster.signal('host-2 agent', 'SIGCONT');
    await untilNodeReady(scene, 'True');
    await scene.untilReady('here', 'pinned');
    expect((await scene.instance('here')).pid).toBe(pid);
  });

  trial.it(
    'that returns removes what was deleted meanwhile, but not while the API is away',
    async (scene) => {
      const { cluster } = scene;
      await scene.apply(container('ghost', ON_2), container('alive', ON_2));
      await scene.untilReady('ghost', 'alive');
      const { host, name, pid } = await scene.instance('ghost');
      await untilSaved(scene, 'alive');
      await cluster.kill('host-2 agent');
      await scene.kubectl('delete', 'container', 'ghost', '--wait=false');
      const finalizers = JSON.stringify({ metadata: { finalizers: null } });
      await scene.kubectl('patch', 'container', 'ghost', '--type=merge', '-p', finalizers);
      await scene.untilGone('ghost');

      await cluster.kill('server', 'etcd');
      await cluster.startAgent('host-2');
      // That one is restarted shows that the agent has looked at its host, with the other one before its eyes.
      await scene.untilRunsAnew('alive', await scene.killInit('alive'));
      expect(await host.instance(name)).toMatchObject({ status: 'Running', pid });

      await cluster.startControlPlane();
      await eventually(
        'the instance is removed',
        () => host.instance(name),
        (found) => found === undefined,
      );
      await scene.until('is Ready', 'alive', (found) => isReady(found) && found.status?.restarts === 1);
    },
  );
}

/** The agent's disk knows that it has started: one that is killed before waits for the API, which alone can tell then. */
async function untilSaved({ cluster, namespace }: Scene, name: string): Promise<void> {
  const file = openDesiredStateFile(desiredStatePath(cluster.stateDir, 'host-2'));
  await eventually(
    `the start of ${name} is on the disk`,
    () => file.read(),
    (state) =>
      state?.containers.some(
        ({ container: { metadata }, record }) =>
          metadata.namespace === namespace && metadata.name === name && record.power === 'Running',
      ) === true,
  );
}

async function untilNodeReady({ cluster }: Scene, status: string): Promise<void> {
  await eventually(
    `host-2 has Ready=${status}`,
    () => nodeSays(cluster, 'host-2', 'Ready'),
    (said) => said?.status === status,
  );
}
