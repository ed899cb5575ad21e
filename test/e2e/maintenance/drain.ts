import { expect } from '@jest/globals';
import type { Trial } from '../scene.ts';
import { hostler, instancesOn, runOnHost1, small } from './plugin.ts';

const NAMES = ['one', 'two', 'three'];
const LIMIT_MS = 180_000;

export function describeDrains(trial: Trial): void {
  trial.it(
    'moves everything elsewhere with what is on its root, and back again',
    async (scene) => {
      const { cluster, namespace } = scene;
      await runOnHost1(scene, ...NAMES.map((name) => small(name)), small('dark', { power: 'Stopped' }));
      const root = (name: string): string => `${name}--${namespace}`;
      for (const name of NAMES) {
        const script = `echo ${name} > /kept`;
        await cluster.host('host-1').exec(['incus', 'exec', root(name), '--', 'sh', '-c', script]);
      }
      const { stdout } = await hostler(scene, ['drain', 'host-1']);
      expect(stdout).toMatch(/node\/host-1 drained in /);
      for (const name of [...NAMES, 'dark'])
        expect(stdout).toMatch(new RegExp(`/${name} +Succeeded +host-[23] `));
      expect(await instancesOn(scene, 'host-1')).toEqual([]);
      await scene.untilReady(...NAMES);
      for (const name of NAMES) {
        const { host } = await scene.instance(name);
        const kept = await host.exec(['incus', 'exec', root(name), '--', 'cat', '/kept']);
        expect(kept.trim()).toBe(name);
      }
      expect((await scene.instance('dark')).status).toBe('Stopped');

      const back = await hostler(scene, ['restore', 'host-1']);
      expect(back.stdout).toMatch(/node\/host-1 restored in /);
      await scene.untilReady(...NAMES);
      expect(await instancesOn(scene, 'host-1')).toEqual(['dark', ...NAMES].map(root).toSorted());
      const kept = await cluster.host('host-1').exec(['incus', 'exec', root('two'), '--', 'cat', '/kept']);
      expect(kept.trim()).toBe('two');
    },
    LIMIT_MS,
  );

  trial.it(
    'lists what cannot move, stops it only when told so, and starts it again',
    async (scene) => {
      const never = { migration: { policy: 'Never' } };
      await runOnHost1(scene, small('goes'), small('stays', never));
      const { pid } = await scene.instance('stays');
      const blocked = await hostler(scene, ['drain', 'host-1'], 1);
      expect(blocked.stdout).toMatch(/\/stays +blocked: PolicyNever: spec\.migration\.policy is Never\n/);
      expect(await scene.instance('stays')).toMatchObject({ status: 'Running', pid });
      const { stdout } = await hostler(scene, ['drain', 'host-1', '--stop-unmovable']);
      expect(stdout).toMatch(/\/stays +stopped\n[^]*node\/host-1 drained/);
      expect((await scene.instance('stays')).status).toBe('Stopped');
      await scene.untilSays('stays', 'Ready', 'Maintenance');
      await hostler(scene, ['restore', 'host-1', '--skip']);
      await scene.untilReady('stays', 'goes');
      expect((await scene.instance('stays')).host.name).toBe('host-1');
      expect((await scene.instance('goes')).host.name).not.toBe('host-1');
    },
    LIMIT_MS,
  );

  trial.it(
    'takes away no more at once than a budget allows',
    async (scene) => {
      const web = { labels: { app: 'web' } };
      const budget = {
        apiVersion: 'hostler.dev/v1alpha1',
        kind: 'DisruptionBudget',
        metadata: { name: 'web' },
        spec: { selector: { matchLabels: { app: 'web' } }, maxUnavailable: 1 },
      };
      await scene.apply(budget);
      await runOnHost1(scene, ...NAMES.map((name) => small(name, {}, web)));
      let fewest = NAMES.length;
      const drained = hostler(scene, ['drain', 'host-1']).then(() => true);
      do {
        const found = await Promise.all(NAMES.map((name) => scene.get(name)));
        const there = found.filter((one) => one?.status?.conditions?.some(isReadyNow) === true);
        fewest = Math.min(fewest, there.length);
      } while (!(await Promise.race([drained, Promise.resolve(false)])));
      expect(fewest).toBe(2);
      expect(await instancesOn(scene, 'host-1')).toEqual([]);
    },
    LIMIT_MS,
  );
}

function isReadyNow({ type, status }: { type: string; status: string }): boolean {
  return type === 'Ready' && status === 'True';
}
