import { expect } from '@jest/globals';
import { eventually } from '../../support/waiting.ts';
import { container, isReady, nodeSays, type Trial } from '../scene.ts';

const ON_1 = { placement: { nodeName: 'host-1' } };

export function describeHostOutages(trial: Trial): void {
  trial.it(
    'that loses its power starts its containers when it is back, and nobody else does',
    async (scene) => {
      const { cluster } = scene;
      await scene.apply(
        container('back', ON_1),
        container('never', { ...ON_1, restart: { policy: 'Never' } }),
      );
      await scene.untilReady('back', 'never');
      await scene.apply(container('dark', { ...ON_1, power: 'Stopped' }));
      await scene.untilSays('dark', 'Ready', 'PoweredOff');
      await cluster.host('host-1').cutPower();
      await eventually(
        'the node is unknown',
        () => nodeSays(cluster, 'host-1', 'Ready'),
        (said) => said?.status === 'Unknown',
      );
      // Without a fence nothing is started elsewhere.
      for (const other of ['host-2', 'host-3']) {
        const there = await cluster.host(other).instances();
        expect(there.filter((name) => name.endsWith(`--${scene.namespace}`))).toEqual([]);
      }
      await cluster.up();
      await scene.until('runs again', 'back', (found) => isReady(found) && found.status?.restarts === 1);
      await scene.until('is down', 'never', ({ status }) =>
        ['Stopped', 'Failed'].includes(status?.phase ?? ''),
      );
      await scene.untilSays('dark', 'Ready', 'PoweredOff');
      expect(await scene.instance('back')).toMatchObject({ status: 'Running', host: { name: 'host-1' } });
      expect((await scene.instance('never')).status).toBe('Stopped');
      expect((await scene.instance('dark')).status).toBe('Stopped');
    },
  );
}
