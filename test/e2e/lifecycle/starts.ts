import { expect } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localPaths } from '../../../src/config/local.ts';
import { run } from '../../../src/cmd/local/process.ts';
import { throughout } from '../../support/waiting.ts';
import { container, isReady, type Scene, type Trial } from '../scene.ts';

/** While a daemon clears up after a start that failed, or an init that ended at once, it says that the instance runs. */
export function describeStarts(trial: Trial['together']): void {
  const rows = [
    { what: 'cannot be run', init: undefined, how: /Failed to run: .*forkstart/, reason: 'FailedStart' },
    { what: 'ends at once', init: 'exit 0', how: /times in a row/, reason: 'BackOff' },
    { what: 'ends after a moment', init: 'sleep 0.2; exit 3', how: /times in a row/, reason: 'BackOff' },
  ];
  trial.each(
    rows,
    'are not Ready, after a first end at the latest, when their init $what',
    async (scene, { init, how, reason }) => {
      const image = await imageWith(scene, init);
      await scene.apply(container('brief', { image, restart: { backoff: { initial: '3s', max: '3s' } } }));
      await throughout(
        'is not Ready',
        () => scene.get('brief'),
        (found) =>
          found === undefined ||
          !isReady(found) ||
          (init !== undefined && (found.status?.restarts ?? 0) === 0),
        10_000,
      );
      const { status } = await scene.untilSays('brief', 'Ready', reason, how);
      const restarts = status?.restarts ?? 0;
      if (init === undefined) expect(restarts).toBe(0);
      else expect(restarts).toBeGreaterThan(0);
      // One at once, and then one every three seconds at the most.
      expect(restarts).toBeLessThan(8);
    },
  );
}

/** The small image with another init, or with none. @returns its reference */
async function imageWith(scene: Scene, init: string | undefined): Promise<string> {
  const { images } = localPaths(scene.cluster.stateDir);
  const name = `${scene.namespace}.tar.gz`;
  const work = await mkdtemp(join(tmpdir(), 'hostler-init-'));
  try {
    await run(['tar', '-xzf', join(images, 'busybox.tar.gz'), '-C', work]);
    const path = join(work, 'rootfs/sbin/init');
    await rm(path);
    if (init !== undefined) await writeFile(path, `#!/bin/sh\n${init}\n`, { mode: 0o755 });
    const content = ['-C', work, 'metadata.yaml', 'rootfs'];
    await run(['tar', '--owner=0', '--group=0', '--numeric-owner', '-czf', join(images, name), ...content]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  scene.later(() => rm(join(images, name), { force: true }));
  return `file:///var/lib/hostler/images/${name}`;
}
