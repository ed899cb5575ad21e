import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { Migration } from '../../../src/crds/migration.ts';
import type { Scene, Trial } from '../scene.ts';
import {
  applyBeating,
  BEATING,
  type Beat,
  beatsOn,
  expectComplete,
  expectKept,
  migrate,
  migrationOf,
  runningOn,
  untilOneRuns,
  untilSettled,
} from './moving.ts';

/** The table of docs/design/0004-migration.md, played: what dies, and in which phase. */
const VICTIMS = {
  "the source's agent": (scene: Scene) => scene.cluster.kill('host-1 agent'),
  "the target's agent": (scene: Scene) => scene.cluster.kill('host-2 agent'),
  "the source's daemon": (scene: Scene) => scene.cluster.kill('host-1 daemon'),
  "the target's daemon": (scene: Scene) => scene.cluster.kill('host-2 daemon'),
  'the controller': (scene: Scene) => scene.cluster.kill('server'),
  'the source': (scene: Scene) => scene.cluster.host('host-1').cutPower(),
  'the target': (scene: Scene) => scene.cluster.host('host-2').cutPower(),
} as const;
export type Victim = keyof typeof VICTIMS;
export const PHASES = ['Preparing', 'Copying', 'SwitchingOver', 'Completing'] as const;
export type Phase = (typeof PHASES)[number];

export interface Kill {
  phase: Phase;
  victim: Victim;
  /** Not at once, but so long after the phase was seen. */
  afterMs?: number;
}

/** The whole table, for `npm test -- kills`: about ten minutes. */
export const ALL_KILLS: readonly Kill[] = PHASES.flatMap((phase) =>
  (Object.keys(VICTIMS) as Victim[]).map((victim) => ({ phase, victim })),
);

/** In the middle of a live pass, which takes some seconds: criu has frozen the container, or restores it. */
export const LATER_KILLS: readonly Kill[] = (Object.keys(VICTIMS) as Victim[]).map((victim) => ({
  phase: 'SwitchingOver',
  victim,
  afterMs: 2_000,
}));

/** Every victim once, where its death has the most to say. */
export const SOME_KILLS: readonly Kill[] = [
  { victim: "the source's agent", phase: 'SwitchingOver' },
  { victim: "the target's agent", phase: 'Completing' },
  { victim: "the source's daemon", phase: 'Copying' },
  { victim: "the target's daemon", phase: 'SwitchingOver' },
  { victim: 'the controller', phase: 'Copying' },
  { victim: 'the source', phase: 'SwitchingOver' },
  { victim: 'the target', phase: 'Copying' },
];

/** What is moved meanwhile. */
export interface Subject {
  /** `LiveIfPossible`: on hosts that can; where the live pass fails it goes on cold, or stays. */
  mode: 'Cold' | 'LiveIfPossible';
  /** Of the container, besides. */
  spec?: object;
  /** What it needs before it is made. */
  prepare?(scene: Scene): Promise<void>;
  /** Its file. Default: that of a root on the host's own pool. */
  read?: typeof beatsOn;
  /** Whether all hosts see one and the same file, so that it does not tell which of them writes. */
  isShared?: boolean;
}

/** So slow that there is a middle of the first pass. */
const SLOW = '512Ki';
const LOOK_MS = 150;
/** Between two looks for a phase. Without a pause they would keep both processors from what they wait for. */
const PHASE_LOOK_MS = 10;

export function describeKills(trial: Trial, subject: Subject, kills: readonly Kill[]): void {
  for (const kill of kills) {
    trial.it(
      `survives the kill of ${kill.victim} ${momentOf(kill)}`,
      (scene) => play(scene, kill, subject),
      400_000,
    );
  }
}

function momentOf({ phase, afterMs }: Kill): string {
  return afterMs === undefined ? `in ${phase}` : `${afterMs / 1_000} s into ${phase}`;
}

async function play(scene: Scene, kill: Kill, subject: Subject): Promise<void> {
  const { phase, victim, afterMs = 0 } = kill;
  const { mode, spec = {}, read = beatsOn } = subject;
  await subject.prepare?.(scene);
  await applyBeating(scene, { migration: { policy: mode }, ...spec });
  const watcher = watchBeats(scene, subject);
  try {
    await migrate(scene, 'm', {
      targetNode: 'host-2',
      mode,
      deadline: '2m',
      ...(phase === 'Copying' ? { bandwidth: SLOW } : {}),
    });
    const reached = await untilPhase(scene, phase);
    await delay(afterMs);
    await VICTIMS[victim](scene);
    const killedMs = Date.now();
    await scene.cluster.up();
    const { status } = await untilSettled(scene, 'm');
    const host = await untilOneRuns(scene);
    const tookMs = Date.now() - killedMs;
    await watcher.stop();
    const beats = (await read(scene, host)) ?? [];
    expectKept(watcher.longest(), beats);
    expectComplete(beats);
    expect(watcher.doubles()).toEqual([]);
    const starts = new Set(beats.map(({ start }) => start)).size;
    process.stderr.write(
      `${status?.mode} ${victim} killed ${momentOf({ ...kill, phase: reached })}: ${status?.phase}, runs on ${host.name} after ${tookMs} ms, ${beats.length} lines of ${starts} starts complete\n`,
    );
  } finally {
    await watcher.stop();
  }
}

async function untilPhase(scene: Scene, phase: Phase): Promise<Phase> {
  const order = ['Pending', 'Preparing', 'Copying', 'Refreshing', 'SwitchingOver', 'Completing', 'Succeeded'];
  const isReached = (found: Migration | undefined): boolean =>
    order.indexOf(found?.status?.phase ?? '') >= order.indexOf(phase);
  for (let tries = 0; tries < 10_000; tries += 1) {
    const found = await migrationOf(scene, 'm');
    if (isReached(found)) return found?.status?.phase as Phase;
    await delay(PHASE_LOOK_MS);
  }
  throw new Error(`It never came to ${phase}`);
}

/** Those of `hosts` on which the file grows. */
async function writingOn(scene: Scene, hosts: readonly string[]): Promise<string[]> {
  const lengths = () =>
    Promise.all(hosts.map(async (name) => (await beatsOn(scene, scene.cluster.host(name)))?.length ?? 0));
  const before = await lengths();
  await delay(LOOK_MS);
  const after = await lengths();
  return hosts.filter((_, at) => (after[at] ?? 0) > (before[at] ?? 0));
}

/** Reads along on both hosts: what was in the file once must be in it at the end, and at most one daemon runs it. */
function watchBeats(scene: Scene, { read = beatsOn, isShared = false }: Subject) {
  const end = new AbortController();
  let longest: Beat[] = [];
  const doubles: string[] = [];
  const instance = `${BEATING}--${scene.namespace}`;
  const look = async (): Promise<void> => {
    const running = await runningOn(scene.cluster, instance);
    // The source's daemon says Running of what a live pass has frozen or taken away, until its hooks have run: what writes, runs.
    const writing = running.length > 1 && !isShared ? await writingOn(scene, running) : running;
    if (writing.length > 1) doubles.push(writing.join(' and '));
    const [only] = running;
    if (only === undefined) return;
    const beats = await read(scene, scene.cluster.host(only));
    if (beats !== undefined && beats.length > longest.length) longest = beats;
  };
  const watch = async (): Promise<void> => {
    while (!end.signal.aborted) {
      // A host that is down has no answer.
      await look().catch(() => undefined);
      await delay(LOOK_MS);
    }
  };
  const watching = watch();
  return {
    longest: () => longest,
    doubles: () => doubles,
    async stop() {
      end.abort();
      await watching;
    },
  };
}
