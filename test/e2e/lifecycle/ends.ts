import { expect } from '@jest/globals';
import type { ClusterHost } from '../../support/cluster.ts';
import { container, isReady, type Scene, type Trial } from '../scene.ts';

export function describeEnds(trial: Trial['together']): void {
  trial.it('come back when their init is killed, and say so', async (scene) => {
    await scene.apply(container('mortal'));
    await scene.untilReady('mortal');
    const before = await scene.instance('mortal');
    await scene.killInit('mortal');
    const { status } = await untilRestarts(scene, 'mortal', 1);
    expect(status?.lastRestart).toMatchObject({ reason: 'Error', message: 'Killed by signal 9' });
    const after = await scene.instance('mortal');
    expect(after.host.name).toBe(before.host.name);
    expect(after.status).toBe('Running');
    expect(after.pid).not.toBe(before.pid);
    await scene.untilEvent('mortal', 'Died', /ended by itself/);
    await scene.untilEvent('mortal', 'Started', /again, restart 1$/);
    const row = await scene.kubectl('get', 'container', 'mortal', '--no-headers');
    expect(row).toMatch(/^mortal +Running +host-\d +(\S+ +)?1 /);
  });

  trial.it(
    'wait longer the more often they end, and from the start again after a long run',
    async (scene) => {
      const backoff = { initial: '2s', max: '1m', resetAfter: '8s' };
      await scene.apply(container('moody', { restart: { backoff } }));
      await scene.untilReady('moody');
      await scene.killInit('moody');
      await untilRestarts(scene, 'moody', 1);
      expect(await scene.events('moody', 'BackOff')).toEqual([]);

      await scene.killInit('moody');
      const waiting = await scene.untilSays('moody', 'Ready', 'BackOff', /2 times in a row.* waits for 2 s/);
      expect(waiting.status).toMatchObject({ phase: 'Failed', restarts: 1 });
      expect((await scene.instance('moody')).status).toBe('Stopped');
      await untilRestarts(scene, 'moody', 2);
      await scene.untilEvent('moody', 'BackOff', /waits for 2 s/);

      await scene.until(
        'has run for longer than resetAfter',
        'moody',
        ({ status }) => Date.now() - Date.parse(status?.startedAt ?? '') > 8_200,
      );
      await scene.killInit('moody');
      await untilRestarts(scene, 'moody', 3);
      expect(await scene.events('moody', 'BackOff')).toHaveLength(1);
    },
  );

  const policies = [
    { policy: 'Always', phase: 'Running', restarts: 1 },
    { policy: 'OnFailure', phase: 'Stopped', restarts: 0 },
    { policy: 'Never', phase: 'Stopped', restarts: 0 },
  ];
  trial.each(policies, 'after a poweroff inside, with policy $policy, are $phase', async (scene, row) => {
    const { policy, phase, restarts } = row;
    await scene.apply(container('tired', { restart: { policy } }));
    await scene.untilReady('tired');
    const { host, name, pid } = await scene.instance('tired');
    await inside(host, name, 'poweroff');
    await scene.until(
      `is ${phase} again`,
      'tired',
      ({ status }) => status?.phase === phase && status.restarts === restarts,
    );
    await scene.untilEvent('tired', 'Died', /ended by itself/);
    const after = await scene.instance('tired');
    expect(after.status).toBe(phase);
    expect(after.pid).not.toBe(pid);
    if (phase === 'Stopped') await scene.untilSays('tired', 'Ready', 'Ended');
  });

  trial.it('with policy Never run again when a person asks for it', async (scene) => {
    await scene.apply(container('asked', { restart: { policy: 'Never' } }));
    await scene.untilReady('asked');
    await scene.killInit('asked');
    await scene.untilSays('asked', 'Ready', 'Error', /Killed by signal 9/);
    await scene.kubectl('annotate', 'container', 'asked', 'hostler.dev/restartedAt=now');
    await scene.untilReady('asked');
    expect((await scene.instance('asked')).status).toBe('Running');
  });

  trial.it('with policy OnFailure come back when their init is killed', async (scene) => {
    await scene.apply(container('failed', { restart: { policy: 'OnFailure' } }));
    await scene.untilReady('failed');
    await scene.killInit('failed');
    const { status } = await untilRestarts(scene, 'failed', 1);
    expect(status?.lastRestart).toMatchObject({ reason: 'Error', message: 'Killed by signal 9' });
  });

  trial.it('go on after a reboot inside', async (scene) => {
    await scene.apply(container('rebooted'));
    await scene.untilReady('rebooted');
    const { host, name, pid } = await scene.instance('rebooted');
    const startedAt = (await scene.get('rebooted'))?.status?.startedAt;
    await inside(host, name, 'reboot');
    const again = await scene.until(
      'has been started anew',
      'rebooted',
      (found) => isReady(found) && found.status?.startedAt !== startedAt,
    );
    expect(again.status?.restarts).toBeLessThanOrEqual(1);
    const after = await scene.instance('rebooted');
    expect(after.status).toBe('Running');
    expect(after.pid).not.toBe(pid);
  });
}

function untilRestarts(scene: Scene, name: string, restarts: number) {
  return scene.until(
    `has restarted ${restarts} times and runs`,
    name,
    (found) => isReady(found) && found.status?.restarts === restarts,
    30_000,
  );
}

/** The command's own end is not waited for: the container's takes it along. */
async function inside(host: ClusterHost, instance: string, command: string): Promise<void> {
  await host.exec(['incus', 'exec', instance, '--', 'sh', '-c', `${command} & `]);
}
