import { expect } from '@jest/globals';
import type { Trial } from '../scene.ts';
import { hostler, instancesOn, OTHERS, runOnHost1, small, untilDrainIs } from './plugin.ts';

const NAMES = ['one', 'two', 'three', 'four'];
const LIMIT_MS = 240_000;

export function describeLosses(trial: Trial): void {
  trial.it(
    'goes on when the leader is killed in the middle of it',
    async (scene) => {
      const { cluster } = scene;
      await runOnHost1(scene, ...NAMES.map((name) => small(name)));
      await hostler(scene, ['drain', 'host-1', '--no-wait']);
      await scene.until('moves', 'one', ({ status }) => status?.migration !== undefined);
      await cluster.kill('server');
      await cluster.up();
      await untilDrainIs(scene, 'Drained', 120_000);
      await scene.untilReady(...NAMES);
      expect(await instancesOn(scene, 'host-1')).toEqual([]);
      const elsewhere = await Promise.all(OTHERS.map((host) => instancesOn(scene, host)));
      expect(elsewhere.flat()).toHaveLength(NAMES.length);
    },
    LIMIT_MS,
  );

  trial.it(
    'leaves to the failover what is still there when the drained host is lost',
    async (scene) => {
      const { cluster } = scene;
      const again = { failover: { policy: 'Recreate' } };
      await runOnHost1(scene, ...NAMES.map((name) => small(name, again)));
      await hostler(scene, ['drain', 'host-1', '--no-wait']);
      await scene.until('moves', 'one', ({ status }) => status?.migration !== undefined);
      await cluster.host('host-1').cutPower();
      for (const name of NAMES) {
        await scene.until(
          'runs elsewhere',
          name,
          ({ status }) => status?.phase === 'Running' && status.nodeName !== 'host-1',
          120_000,
        );
      }
      await cluster.up();
      await untilDrainIs(scene, 'Drained', 60_000);
      const elsewhere = await Promise.all(OTHERS.map((host) => instancesOn(scene, host)));
      expect(elsewhere.flat().toSorted()).toEqual(
        NAMES.map((name) => `${name}--${scene.namespace}`).toSorted(),
      );
    },
    LIMIT_MS,
  );
}
