import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { localPaths, SHARED_DIR } from '../../../src/config/local.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import type { StoragePool } from '../../../src/crds/storage-pool.ts';
import { BEAT_FILE, BEAT_PATH } from '../../faults/heartbeat-image.ts';
import { eventually } from '../../support/waiting.ts';
import { clusterObject, pool, type Scene, type Trial } from '../scene.ts';
import type { Kill, Subject } from './kills.ts';
import {
  applyBeating,
  BEATING,
  type Beat,
  expectComplete,
  expectKept,
  migrate,
  parseBeats,
  untilOneRuns,
  untilSettled,
} from './moving.ts';

/** Containers whose root or data are on storage that all hosts share: they move without a copy of these. */
const POOL = 'shared';
const VOLUME = { name: 'data', pool: POOL, path: BEAT_PATH };

const onShared = { mode: 'Cold', prepare: sharePool, isShared: true } as const;

/** All of it is there. */
export const SHARED_ROOT: Subject = { ...onShared, spec: { rootPool: POOL }, read: readRoot };
/** Its data is; its root is on a pool of its host, and copied. */
export const SHARED_VOLUME: Subject = { ...onShared, spec: { volumes: [VOLUME] }, read: readVolume };

export const SOME_SHARED_KILLS: readonly Kill[] = [
  { victim: "the source's agent", phase: 'SwitchingOver' },
  { victim: "the target's agent", phase: 'SwitchingOver' },
  { victim: 'the source', phase: 'SwitchingOver' },
];

interface Row {
  key: string;
  subject: Subject;
  spec?: object;
  transfer: 'Shared' | 'Copy';
}

const ROWS: readonly Row[] = [
  { key: 'a root', subject: SHARED_ROOT, transfer: 'Shared' },
  {
    key: 'a root that the loss of its host would make anew',
    subject: SHARED_ROOT,
    spec: { failover: { policy: 'Recreate' } },
    transfer: 'Shared',
  },
  {
    key: 'a root and a volume',
    subject: { ...SHARED_VOLUME, spec: { rootPool: POOL, volumes: [VOLUME] } },
    transfer: 'Shared',
  },
  { key: 'a volume, beside a root that is copied', subject: SHARED_VOLUME, transfer: 'Copy' },
];

export function describeSharedMoves(trial: Trial): void {
  for (const row of ROWS) {
    trial.it(
      `moves ${row.key}, there and back, with all that it wrote`,
      (scene) => move(scene, row),
      300_000,
    );
  }
}

async function move(scene: Scene, { subject, spec, transfer }: Row): Promise<void> {
  await sharePool(scene);
  // Live moves want a root on the host, and no volumes: that is said, and the move goes on without.
  const mode = 'LiveIfPossible';
  await applyBeating(scene, { migration: { policy: mode }, ...subject.spec, ...spec });
  const read = async (): Promise<Beat[]> => (await subject.read?.(scene, scene.cluster.host('host-1'))) ?? [];
  const uid = (await scene.get(BEATING))?.metadata.uid ?? '';
  for (const [name, source, target] of [
    ['there', 'host-1', 'host-2'],
    ['back', 'host-2', 'host-1'],
  ] as const) {
    const before = await eventually('it has written something', read, ({ length }) => length > 0);
    await migrate(scene, name, { targetNode: target, mode });
    const { status } = await untilSettled(scene, name);
    expect(status).toMatchObject({ phase: 'Succeeded', source, target, mode: 'Cold', transfer });
    expect(findCondition(status?.conditions, 'Live')).toMatchObject({
      status: 'False',
      reason: transfer === 'Shared' ? 'SharedRoot' : 'Volumes',
    });
    if (transfer === 'Shared') {
      expect(status).toMatchObject({ passes: 0 });
      expect(status?.progress).toBeUndefined();
    }
    expect((await untilOneRuns(scene)).name).toBe(target);
    // The daemon there knows nothing of the root any more, so nothing that is done to it there can reach the files.
    expect(await scene.cluster.host(source).ask('GET', `/1.0/storage-pools/hostler-${uid}`)).toBeUndefined();
    const after = await eventually('it goes on', read, (beats) => startsOf(beats) > startsOf(before));
    expectKept(before, after);
    expectComplete(after);
    // One start before the move, and one after it.
    expect(startsOf(after) - startsOf(before)).toBe(1);
    process.stderr.write(`${transfer} move: ${status?.pauseMs} ms by the Migration\n`);
  }
  expect((await scene.get(BEATING))?.status?.restarts).toBe(0);
}

function startsOf(beats: readonly Beat[]): number {
  return new Set(beats.map(({ start }) => start)).size;
}

/** One for all tests of the cluster: its folder belongs to the first pool that took it. */
async function sharePool(scene: Scene): Promise<void> {
  await scene.apply(pool(POOL, { access: 'Shared', source: SHARED_DIR }));
  await eventually(
    `storage pool ${POOL} is proved on all hosts`,
    () => clusterObject<StoragePool>(scene.cluster, 'storagepools', POOL),
    (found) => found?.status?.readyNodes === scene.cluster.hosts.length,
    60_000,
  );
}

async function readRoot(scene: Scene): Promise<Beat[] | undefined> {
  const roots = join(localPaths(scene.cluster.stateDir).shared, 'roots');
  const prefix = `${scene.namespace}_${BEATING}_`;
  const found = (await readdir(roots)).filter((name) => name.startsWith(prefix));
  if (found.length > 1) throw new Error(`There are several roots: ${found.join(', ')}`);
  const instance = `${BEATING}--${scene.namespace}`;
  return await readBeats(join(roots, found[0] ?? '', 'containers', instance, 'rootfs', BEAT_PATH));
}

async function readVolume(scene: Scene): Promise<Beat[] | undefined> {
  const { shared } = localPaths(scene.cluster.stateDir);
  return await readBeats(join(shared, 'volumes', `${scene.namespace}_${BEATING}_${VOLUME.name}`));
}

async function readBeats(folder: string): Promise<Beat[] | undefined> {
  try {
    return parseBeats(await readFile(join(folder, BEAT_FILE), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
