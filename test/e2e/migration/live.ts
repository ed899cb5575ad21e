import { expect } from '@jest/globals';
import type { Trial } from '../scene.ts';
import {
  applyBeating,
  BEATING,
  beatsOn,
  expectComplete,
  expectKept,
  migrate,
  untilOneRuns,
  untilSettled,
} from './moving.ts';

export function describeLiveMoves(trial: Trial): void {
  trial.it(
    'keeps the processes, there and back',
    async (scene) => {
      await applyBeating(scene, { migration: { policy: 'Live' } });
      for (const [name, from, to] of [
        ['there', 'host-1', 'host-2'],
        ['back', 'host-2', 'host-1'],
      ] as const) {
        const before = (await beatsOn(scene, scene.cluster.host(from))) ?? [];
        expect(before.length).toBeGreaterThan(0);
        await migrate(scene, name, { targetNode: to });
        const { status } = await untilSettled(scene, name);
        expect(status).toMatchObject({ phase: 'Succeeded', mode: 'Live', source: from, target: to });
        const host = await untilOneRuns(scene);
        expect(host.name).toBe(to);
        const after = (await beatsOn(scene, host)) ?? [];
        expectKept(before, after);
        expectComplete(after);
        // One start has written all of it: nothing was started again.
        expect(new Set(after.map(({ start }) => start)).size).toBe(1);
        process.stderr.write(`live move: ${status?.pauseMs} ms by the Migration\n`);
      }
      expect((await scene.get(BEATING))?.status?.restarts).toBe(0);
    },
    300_000,
  );
}
