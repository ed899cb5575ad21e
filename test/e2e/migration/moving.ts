import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { Migration, MigrationSpec } from '../../../src/crds/migration.ts';
import { isOver } from '../../../src/plan/migration/ending.ts';
import { BEAT_FILE, BEAT_PATH, buildHeartbeatImage } from '../../faults/heartbeat-image.ts';
import { type ClusterHost, type TestCluster } from '../../support/cluster.ts';
import { eventually } from '../../support/waiting.ts';
import { container, type Scene } from '../scene.ts';

/** A container that appends a line to a file of its own root every 20 ms, and what can be asked about it while it moves. */
export const BEATING = 'beat';
const IMAGE_FILE = 'beat.tar.gz';
const API = '/apis/hostler.dev/v1alpha1';
const SETTLE_MS = 150_000;

export async function applyBeating(scene: Scene, spec: object = {}): Promise<void> {
  const { stateDir } = scene.cluster;
  const images = join(stateDir, 'images');
  // One for all tests of the cluster.
  if (!existsSync(join(images, IMAGE_FILE)))
    await buildHeartbeatImage(join(images, 'busybox.tar.gz'), join(images, IMAGE_FILE), 'root');
  await scene.apply(
    container(BEATING, {
      image: `file:///var/lib/hostler/images/${IMAGE_FILE}`,
      // Hosts that are killed again and again are flapping.
      placement: {
        nodeSelector: { 'hostler.dev/host': 'host-1' },
        tolerations: [{ key: 'hostler.dev/flapping', operator: 'Exists' }],
      },
      migration: { policy: 'Cold' },
      ...spec,
    }),
  );
  await scene.untilReady(BEATING);
  // It is to start on host-1, and may go anywhere.
  await scene.kubectl(
    'patch',
    'container',
    BEATING,
    '--type=merge',
    '-p',
    '{"spec":{"placement":{"nodeSelector":null}}}',
  );
  await scene.untilReady(BEATING);
}

export function migrate(scene: Scene, name: string, spec: Partial<MigrationSpec>): Promise<void> {
  return scene.apply({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Migration',
    metadata: { name },
    spec: { container: BEATING, ...spec },
  });
}

export function migrationOf(scene: Scene, name: string): Promise<Migration | undefined> {
  return scene.cluster.get<Migration>(`${API}/namespaces/${scene.namespace}/migrations/${name}`);
}

/** Over, and nothing hangs on it any more. */
export async function untilSettled(scene: Scene, name: string): Promise<Migration> {
  return (await eventually(
    `migration ${name} is over`,
    () => migrationOf(scene, name),
    (found) =>
      found !== undefined && isOver(found.status ?? {}) && (found.metadata.finalizers ?? []).length === 0,
    SETTLE_MS,
  )) as Migration;
}

/** A line of the file. */
export interface Beat {
  host: string;
  /** Of this start, or of the one whose memory came along. */
  start: string;
  count: number;
  uptime: number;
}

const instanceOf = (scene: Scene): string => `${BEATING}--${scene.namespace}`;

/** From the host's own view of the root, whether the container runs or not; undefined: it has none. */
export async function beatsOn(scene: Scene, host: ClusterHost): Promise<Beat[] | undefined> {
  const root = `storage-pools/default/containers/${instanceOf(scene)}/rootfs`;
  const script = `cat "$INCUS_DIR/${root}${BEAT_PATH}/${BEAT_FILE}" 2>/dev/null || true`;
  const text = await host.exec(['sh', '-c', script]);
  return text === '' ? undefined : parseBeats(text);
}

export function parseBeats(text: string): Beat[] {
  return text
    .split('\n')
    .filter((line) => line.split(' ').length === 4)
    .map((line) => {
      const [host = '', start = '', count, uptime] = line.split(' ');
      return { host, start, count: Number(count), uptime: Number(uptime) };
    });
}

/** Waits until exactly one instance is left, and that one runs where the Container is placed. */
export async function untilOneRuns(scene: Scene): Promise<ClusterHost> {
  const look = async () => {
    const placed = (await scene.get(BEATING))?.status;
    const found = await Promise.all(
      scene.cluster.hosts.map(async (host) => ({ host, instance: await host.instance(instanceOf(scene)) })),
    );
    return { placed, found: found.filter(({ instance }) => instance !== undefined) };
  };
  const { found } = await eventually(
    'exactly one copy is left, and runs',
    look,
    (seen) =>
      seen.found.length === 1 &&
      seen.found[0]?.instance?.status === 'Running' &&
      seen.found[0].host.name === seen.placed?.nodeName &&
      seen.placed.phase === 'Running' &&
      seen.placed.migration === undefined,
    SETTLE_MS,
  );
  return found[0]?.host as ClusterHost;
}

/** How many of the hosts' daemons say that it runs now. */
export async function runningOn(cluster: TestCluster, instance: string): Promise<string[]> {
  const all = await Promise.all(
    cluster.hosts.map(async (host) => {
      const found = await host.instance(instance).catch(() => undefined);
      return found?.status === 'Running' && found.pid > 0 ? [host.name] : [];
    }),
  );
  return all.flat();
}

/** Each start counts from 0 without a gap, and none writes into the time of another. */
export function expectComplete(beats: readonly Beat[]): void {
  const byStart = new Map<string, Beat[]>();
  for (const beat of beats) byStart.set(beat.start, [...(byStart.get(beat.start) ?? []), beat]);
  let order = 0;
  for (const [start, lines] of byStart) {
    expect({ start, counts: lines.map(({ count }) => count) }).toEqual({
      start,
      counts: lines.map((_, at) => at),
    });
    order += lines.length;
    // The lines of one start stand together.
    expect(beats.slice(order - lines.length, order).every((beat) => beat.start === start)).toBe(true);
  }
}

/** Everything that was seen in the file before is in it still, in its place. */
export function expectKept(before: readonly Beat[], after: readonly Beat[]): void {
  expect(after.length).toBeGreaterThanOrEqual(before.length);
  expect(after.slice(0, before.length)).toEqual(before);
}

/** The longest time without a line, in milliseconds. */
export function longestGapMs(beats: readonly Beat[]): number {
  let longest = 0;
  for (const [at, { uptime }] of beats.entries()) {
    const before = beats[at - 1];
    if (before !== undefined) longest = Math.max(longest, (uptime - before.uptime) * 1_000);
  }
  return Math.round(longest);
}
