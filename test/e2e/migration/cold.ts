import { expect } from '@jest/globals';
import { eventually } from '../../support/waiting.ts';
import type { Trial } from '../scene.ts';
import {
  applyBeating,
  BEATING,
  beatsOn,
  expectComplete,
  expectKept,
  longestGapMs,
  migrate,
  migrationOf,
  untilOneRuns,
  untilSettled,
} from './moving.ts';

/** Generous: the machine of a test may be busy. docs/benchmarks.md has what was measured on a quiet one. */
const PAUSE_MS = 15_000;

export function describeColdMoves(trial: Trial): void {
  trial.it(
    'moves a container with all that it wrote, there and back',
    async (scene) => {
      await applyBeating(scene);
      const [first, second] = ['host-1', 'host-2'].map((name) => scene.cluster.host(name));
      for (const [name, from, to] of [
        ['there', first, second],
        ['back', second, first],
      ] as const) {
        const before = (await beatsOn(scene, from!)) ?? [];
        expect(before.length).toBeGreaterThan(0);
        await migrate(scene, name, { targetNode: to!.name, mode: 'Cold' });
        const { status } = await untilSettled(scene, name);
        expect(status).toMatchObject({
          phase: 'Succeeded',
          source: from!.name,
          target: to!.name,
          mode: 'Cold',
        });
        expect((await untilOneRuns(scene)).name).toBe(to!.name);
        const after = (await beatsOn(scene, to!)) ?? [];
        expectKept(before, after);
        expectComplete(after);
        const gapMs = longestGapMs(after);
        process.stderr.write(
          `cold move: ${status?.pauseMs} ms by the Migration, ${gapMs} ms without a line\n`,
        );
        expect(gapMs).toBeLessThan(PAUSE_MS);
      }
      expect((await scene.get(BEATING))?.status?.restarts).toBe(0);
      // The keys of the transfers are gone.
      expect(await scene.kubectl('get', 'secrets', '-o', 'name')).toBe('');
    },
    300_000,
  );

  trial.it(
    'is cancelled by its deletion, and the container has not noticed',
    async (scene) => {
      await applyBeating(scene);
      await migrate(scene, 'slow', { targetNode: 'host-2', bandwidth: '64Ki' });
      await eventually(
        'it copies',
        () => migrationOf(scene, 'slow'),
        (found) => found?.status?.phase === 'Copying',
        30_000,
      );
      await scene.kubectl('delete', 'migration', 'slow', '--timeout=60s');
      expect((await untilOneRuns(scene)).name).toBe('host-1');
      const beats = (await beatsOn(scene, scene.cluster.host('host-1'))) ?? [];
      expectComplete(beats);
      expect(new Set(beats.map(({ start }) => start)).size).toBe(1);
    },
    200_000,
  );

  trial.it(
    'fails at its deadline, and the container has not noticed',
    async (scene) => {
      await applyBeating(scene);
      await migrate(scene, 'late', { targetNode: 'host-2', bandwidth: '64Ki', deadline: '5s' });
      const { status } = await untilSettled(scene, 'late');
      expect(status?.phase).toBe('Failed');
      expect(status?.conditions?.find(({ type }) => type === 'Succeeded')?.reason).toBe('DeadlineExceeded');
      expect((await untilOneRuns(scene)).name).toBe('host-1');
    },
    200_000,
  );
}
