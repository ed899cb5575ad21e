import { expect } from '@jest/globals';
import { findCondition } from '../../../src/crds/conditions.ts';
import { container, isReady, type Scene, type Trial } from '../scene.ts';

const MI = 2 ** 20;

export function describeSettings(trial: Trial['together']): void {
  trial.it('get more memory and processors while they run', async (scene) => {
    await scene.apply(container('grown', { resources: { cpu: '50m', memory: '32Mi' } }));
    await scene.untilReady('grown');
    const before = await scene.instance('grown');
    expect(before.memoryBytes).toBe(32 * MI);

    await scene.apply(container('grown', { resources: { cpu: '250m', memory: '48Mi' } }));
    await scene.untilReady('grown');
    const after = await scene.instance('grown');
    expect(after.config).toMatchObject({
      'limits.memory': String(48 * MI),
      'limits.cpu.allowance': '25ms/100ms',
      'user.hostler.generation': '2',
    });
    expect(after.memoryBytes).toBe(48 * MI);
    expect(after.pid).toBe(before.pid);
    expect(findCondition((await scene.get('grown'))?.status?.conditions, 'RestartRequired')).toBeUndefined();
  });

  trial.it('get and lose configuration while they run', async (scene) => {
    await scene.apply(container('tuned', { config: { 'user.note': 'a', 'limits.processes': '50' } }));
    await scene.untilReady('tuned');
    const { pid } = await scene.instance('tuned');
    await scene.apply(container('tuned', { config: { 'user.note': 'b' } }));
    await scene.untilReady('tuned');
    const after = await scene.instance('tuned');
    expect(after.config['user.note']).toBe('b');
    expect(after.config).not.toHaveProperty('limits.processes');
    expect(after.pid).toBe(pid);
  });

  trial.it(
    'say which of them wait for a restart, and hold after the one that is asked for',
    async (scene) => {
      await scene.apply(container('patient'));
      await scene.untilReady('patient');
      const before = await scene.instance('patient');

      await scene.apply(container('patient', { config: { 'security.nesting': 'true' } }));
      const waiting = await scene.untilSays(
        'patient',
        'RestartRequired',
        'SettingsChanged',
        /security\.nesting/,
      );
      expect(findCondition(waiting.status?.conditions, 'RestartRequired')?.status).toBe('True');
      await scene.until('runs on', 'patient', isReady);
      expect((await scene.instance('patient')).pid).toBe(before.pid);
      await scene.untilEvent('patient', 'RestartRequired', /security\.nesting/);

      await scene.kubectl('annotate', 'container', 'patient', 'hostler.dev/restartedAt=2030-01-01T00:00:00Z');
      await scene.untilSays('patient', 'RestartRequired', 'UpToDate');
      const restarted = await scene.until('runs again', 'patient', isReady);
      expect(restarted.status?.restarts).toBe(0);
      const after = await scene.instance('patient');
      expect(after.pid).not.toBe(before.pid);
      expect(after.config['security.nesting']).toBe('true');
    },
  );

  trial.it('that the host does not allow keep what runs as it is', async (scene) => {
    await scene.apply(container('bold'));
    await scene.untilReady('bold');
    const before = await scene.instance('bold');
    await scene.apply(container('bold', { config: { 'raw.lxc': 'lxc.mount.auto =' } }));
    await scene.untilSays('bold', 'Ready', 'ConfigNotAllowed', /raw\.lxc/);
    const kept = await scene.instance('bold');
    expect(kept.config).not.toHaveProperty('raw.lxc');
    expect(kept.pid).toBe(before.pid);
    await scene.apply(container('bold'));
    await scene.untilReady('bold');
    expect((await scene.instance('bold')).pid).toBe(before.pid);
  });

  trial.it('that the host does not allow never get into a new one', async (scene) => {
    const config = { 'security.privileged': 'true', 'user.hostler.uid': 'x' };
    await scene.apply(container('cheeky', { config }));
    await scene.untilSays('cheeky', 'Ready', 'ConfigNotAllowed', /security\.privileged, user\.hostler\.uid$/);
    expect(await scene.hasInstance('cheeky')).toBe(false);
    await removeConfig(scene, 'cheeky');
    await scene.untilReady('cheeky');
    expect((await scene.instance('cheeky')).config['security.privileged'] ?? 'false').toBe('false');
  });

  trial.it('change together with the power', async (scene) => {
    await scene.apply(container('both', { resources: { memory: '32Mi' } }));
    await scene.untilReady('both');
    await scene.apply(container('both', { power: 'Stopped', resources: { memory: '40Mi' } }));
    await scene.untilSays('both', 'Ready', 'PoweredOff');
    const stopped = await scene.instance('both');
    expect(stopped).toMatchObject({ status: 'Stopped', config: { 'limits.memory': String(40 * MI) } });
    await scene.apply(container('both', { resources: { memory: '44Mi' } }));
    await scene.untilReady('both');
    expect((await scene.instance('both')).memoryBytes).toBe(44 * MI);
  });
}

function removeConfig(scene: Scene, name: string): Promise<string> {
  const patch = JSON.stringify([{ op: 'remove', path: '/spec/config' }]);
  return scene.kubectl('patch', 'container', name, '--type=json', '-p', patch);
}
