import { join } from 'node:path';
import type { Node } from '../../../src/crds/node.ts';
import { eventually } from '../../support/waiting.ts';
import type { KubectlResult } from '../../support/kubectl.ts';
import { clusterObject, container, type Scene } from '../scene.ts';

const BIN = join(import.meta.dirname, '../../../bin');

/** `kubectl hostler …`, as the plugin of the stock kubectl. */
export function hostler(scene: Scene, argv: readonly string[], code = 0): Promise<KubectlResult> {
  const env = { PATH: `${BIN}:${process.env['PATH'] ?? ''}` };
  return scene.cluster.kubectl.run(['hostler', ...argv], { env, code, deadlineMs: 120_000 });
}

export const OTHERS = ['host-2', 'host-3'] as const;
/** Small, quickly stopped, and cold wherever it goes. */
export const small = (name: string, spec: object = {}, metadata: object = {}): object =>
  container(name, { stopTimeout: '1s', migration: { policy: 'Cold' }, ...spec }, metadata);

interface Applied {
  metadata: { name: string };
  spec: { power?: string };
}

/** Makes the containers run on host-1, although the others may have them too; the node is as it was afterwards. */
export async function runOnHost1(scene: Scene, ...containers: object[]): Promise<void> {
  scene.later(() => hostler(scene, ['uncordon', ...OTHERS]));
  scene.later(() => hostler(scene, ['restore', 'host-1', '--skip', '--no-wait']));
  await hostler(scene, ['cordon', ...OTHERS]);
  await scene.apply(...containers);
  for (const one of containers as readonly Applied[]) {
    const { metadata, spec } = one;
    if (spec.power === 'Stopped') await scene.untilSays(metadata.name, 'Ready', 'PoweredOff');
    else await scene.untilReady(metadata.name);
  }
  await hostler(scene, ['uncordon', ...OTHERS]);
}

export async function drainPhase(scene: Scene): Promise<string | undefined> {
  return (await clusterObject<Node>(scene.cluster, 'nodes', 'host-1'))?.status?.drain?.phase;
}

export async function untilDrainIs(scene: Scene, phase: string, deadlineMs = 60_000): Promise<void> {
  await eventually(
    `host-1 is ${phase}`,
    () => drainPhase(scene),
    (now) => now === phase,
    deadlineMs,
  );
}

/** The names of this scene's instances on a host's daemon. */
export async function instancesOn(scene: Scene, host: string): Promise<string[]> {
  const all = await scene.cluster.host(host).instances();
  return all.filter((name) => name.endsWith(`--${scene.namespace}`)).sort();
}
