import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { LIVE_FOLDER } from '../../../src/config/local.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { eventually } from '../../support/waiting.ts';
import type { Scene, Trial } from '../scene.ts';
import {
  applyBeating,
  BEATING,
  type Beat,
  beatsOn,
  expectComplete,
  expectKept,
  longestGapMs,
  migrate,
  untilOneRuns,
  untilSettled,
} from './moving.ts';

/** Whether `scripts/setup --live` was run. */
export const isLiveInstalled = spawnSync(`${LIVE_FOLDER}/bin/criu`, ['--version']).status === 0;

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

/** Between the arrival of a live pass and its taking over nobody but the target knows of the copy. */
export function describeDeletions(trial: Trial): void {
  trial.it(
    'of a container that is deleted meanwhile leaves nothing on either host',
    async (scene) => {
      await applyBeating(scene, { migration: { policy: 'Live' } });
      await migrate(scene, 'gone', { targetNode: 'host-2' });
      await scene.kubectl(
        'wait',
        'migration/gone',
        '--for=jsonpath={.status.phase}=SwitchingOver',
        '--timeout=60s',
      );
      await scene.kubectl('delete', 'container', BEATING, '--timeout=90s');
      await untilSettled(scene, 'gone');
      for (const name of ['host-1', 'host-2']) {
        await eventually(
          `nothing is left on ${name}`,
          () => scene.cluster.host(name).instances(),
          (all) => !all.includes(`${BEATING}--${scene.namespace}`),
        );
      }
    },
    200_000,
  );
}

/**
 * Incus 6.0 calls such a pass a success, on both sides, and its source has ended the processes by then; and it never again lets go of the
 * copy, until it is restarted itself. The files are whole: the container is started again where it was.
 */
export function describeFailedRestores(trial: Trial): void {
  trial.it(
    'whose restore fails goes on at the source with all that it wrote',
    async (scene) => {
      await applyBeating(scene, { migration: { policy: 'Live' } });
      const before = await untilMore(scene, 'host-1', 0);
      const mend = await breakRestores(scene, 'host-2');
      await migrate(scene, 'broken', { targetNode: 'host-2' });
      const { status } = await untilSettled(scene, 'broken');
      expect(status).toMatchObject({ phase: 'Failed', mode: 'Live', source: 'host-1', target: 'host-2' });
      expect(findCondition(status?.conditions, 'Succeeded')?.reason).toBe('TransferFailed');
      const runs = await scene.until('runs on host-1', BEATING, ({ status: { nodeName, phase } = {} }) => {
        return nodeName === 'host-1' && phase === 'Running';
      });
      expect(runs.status?.migration).toBeUndefined();
      const beats = await untilMore(scene, 'host-1', before.length + 50);
      expectKept(before, beats);
      expectComplete(beats);
      process.stderr.write(`failed restore: ${longestGapMs(beats)} ms without a line\n`);

      await mend();
      // It lets go of the copy now, if it had not before.
      await scene.cluster.kill('host-2 daemon');
      await scene.cluster.up();
      expect((await untilOneRuns(scene)).name).toBe('host-1');
      await migrate(scene, 'mended', { targetNode: 'host-2' });
      expect((await untilSettled(scene, 'mended')).status).toMatchObject({
        phase: 'Succeeded',
        mode: 'Live',
      });
      const after = (await beatsOn(scene, await untilOneRuns(scene))) ?? [];
      expectKept(beats, after);
      expectComplete(after);
    },
    400_000,
  );
}

function untilMore(scene: Scene, host: string, count: number): Promise<Beat[]> {
  return eventually(
    'it goes on writing',
    async () => (await beatsOn(scene, scene.cluster.host(host))) ?? [],
    ({ length }) => length > count,
  );
}

/** From now on criu does not find the memory of what it is to restore on `host`; whatever else it does, it does. @returns the end of that */
async function breakRestores(scene: Scene, host: string): Promise<() => Promise<void>> {
  const folder = join(scene.cluster.stateDir, 'compartments', host, 'broken-criu');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'criu'), FORGETFUL, { mode: 0o755 });
  const target = scene.cluster.host(host);
  await target.exec(['mount', '--bind', folder, `${LIVE_FOLDER}/bin`]);
  let isBroken = true;
  const mend = async (): Promise<void> => {
    if (isBroken) await target.exec(['umount', `${LIVE_FOLDER}/bin`]);
    isBroken = false;
  };
  scene.later(mend);
  return mend;
}

const FORGETFUL = `#!/bin/sh
before= images=
for argument; do
  case $before in -D | --images-dir) images=$argument ;; esac
  before=$argument
done
if [ "\${1:-}" = restore ]; then rm -f "$images"/pages-*.img; fi
exec ${LIVE_FOLDER}/criu-wrapper "$@"
`;
