import { expect } from '@jest/globals';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, type Trial } from '../scene.ts';

/** What people do on a host past Hostler. */
export function describeInterference(trial: Trial['together']): void {
  trial.it('are made again when their instance is deleted', async (scene) => {
    await scene.apply(container('deleted'));
    await scene.untilReady('deleted');
    const before = await scene.instance('deleted');
    // As a person does: once more when the agent's restart comes between the stop and the deletion.
    await eventually(
      'it is deleted',
      () => before.host.exec(['incus', 'delete', '--force', before.name]),
      () => true,
    );
    await scene.until(
      'runs again',
      'deleted',
      (found) => isReady(found) && Date.parse(found.status?.startedAt ?? '') > before.startedAtMs,
    );
    const after = await scene.instance('deleted');
    expect(after).toMatchObject({ status: 'Running', host: { name: before.host.name } });
    expect(after.startedAtMs).toBeGreaterThan(before.startedAtMs);
  });

  trial.it('are started again when they are stopped, and stay stopped with policy Never', async (scene) => {
    await scene.apply(container('always'), container('never', { restart: { policy: 'Never' } }));
    await scene.untilReady('always', 'never');
    for (const name of ['always', 'never']) {
      const { host, name: instance } = await scene.instance(name);
      await host.exec(['incus', 'stop', '--force', instance]);
    }
    await scene.until('is restarted', 'always', (found) => isReady(found) && found.status?.restarts === 1);
    await scene.until('is down', 'never', ({ status }) =>
      ['Stopped', 'Failed'].includes(status?.phase ?? ''),
    );
    expect((await scene.instance('never')).status).toBe('Stopped');
  });

  trial.it('are stopped again when they are started against spec.power', async (scene) => {
    await scene.apply(container('dark', { power: 'Stopped' }));
    await scene.untilSays('dark', 'Ready', 'PoweredOff');
    const { host, name } = await scene.instance('dark');
    await host.exec(['incus', 'start', name]);
    await scene.untilEvent('dark', 'Stopped', /as spec\.power asks/);
    await scene.untilSays('dark', 'Ready', 'PoweredOff');
    expect((await scene.instance('dark')).status).toBe('Stopped');
  });

  trial.it('say that they are frozen, and are removed all the same', async (scene) => {
    await scene.apply(container('cold'));
    await scene.untilReady('cold');
    const { host, name } = await scene.instance('cold');
    await host.exec(['incus', 'pause', name]);
    await scene.untilSays('cold', 'Ready', 'Frozen');
    await host.exec(['incus', 'start', name]);
    await scene.untilReady('cold');
    await host.exec(['incus', 'pause', name]);
    await scene.kubectl('delete', 'container', 'cold', '--timeout=20s');
    expect(await scene.hasInstance('cold')).toBe(false);
  });
}
