import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { atMost, type Figure, figure, quantile } from './figure.ts';
import { type Plane, startPlane } from './replica-plane.ts';

const ROUNDS = 3;
/** What comes to light only later, at the end of a time-out say, is waited for. */
const AFTER_MS = 6_000;
const LIMIT_MS = 40_000;

interface Fault {
  name: string;
  act(plane: Plane, host: string): Promise<void>;
  /** Seconds. @defaultValue none */
  gapGoal?: number;
  /** Seconds after the leader's key is gone from etcd. */
  decisionGoal: number;
}

/** Each at the host whose server runs the controllers, whose member leads etcd, and that the client is connected to. */
const FAULTS: readonly Fault[] = [
  {
    name: 'server SIGKILLed',
    act: (plane, host) => plane.signal(host, 'SIGKILL', ['server']),
    gapGoal: 2,
    decisionGoal: 1,
  },
  { name: 'host killed', act: (plane, host) => plane.cutPower(host), gapGoal: 2, decisionGoal: 1 },
  {
    name: 'server and etcd SIGSTOPped',
    act: (plane, host) => plane.signal(host, 'SIGSTOP', ['etcd', 'server']),
    decisionGoal: 1,
  },
  { name: 'link cut', act: (plane, host) => plane.setLink(host, false), decisionGoal: 1 },
  {
    name: 'server stopped cleanly',
    act: (plane, host) => plane.signal(host, 'SIGTERM', ['server']),
    decisionGoal: 0.2,
  },
];

interface Round {
  gapMs: number;
  /** From the fault until another server leads, by its own word. */
  leadsMs: number;
  /** From the fault until a client sees a decision about something that it wrote after it. */
  decidedMs: number;
  /** From the end of the lease, as etcd carried it out, to the first decision that is made after it. */
  afterLeaseMs: number;
}

/** Three servers over three members of etcd on three hosts, one of which is lost in several ways. */
export async function replicas(): Promise<Figure[]> {
  const stateDir = await mkdtemp('/var/tmp/hostler-bench-');
  const root = join(import.meta.dirname, '../..');
  const node = join(root, 'node_modules/node/bin/node');
  const program = [existsSync(node) ? node : process.execPath, join(root, 'dist/hostler.mjs')];
  const plane = await startPlane(stateDir, program);
  try {
    const figures: Figure[] = [];
    for (const fault of FAULTS) {
      const rounds: Round[] = [];
      for (let index = 0; index < ROUNDS; index++) rounds.push(await play(plane, fault));
      figures.push(...figuresOf(fault, rounds));
    }
    return figures;
  } finally {
    await plane.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

function figuresOf({ name, gapGoal, decisionGoal }: Fault, rounds: readonly Round[]): Figure[] {
  const p50 = (what: keyof Round): number =>
    quantile(
      rounds.map((round) => round[what]),
      0.5,
    ) / 1_000;
  const most = (what: keyof Round): number => Math.max(...rounds.map((round) => round[what])) / 1_000;
  const gap = `3 servers, ${name}: longest gap between writes, slowest of ${rounds.length}`;
  return [
    gapGoal === undefined ? figure(gap, most('gapMs'), 's') : atMost(gap, most('gapMs'), 's', gapGoal),
    figure('  the same, p50', p50('gapMs'), 's'),
    figure('  another one leads after, p50', p50('leadsMs'), 's'),
    figure('  a client sees a decision about what it wrote since, p50', p50('decidedMs'), 's'),
    atMost('  first decision after the end of the lease, p50', p50('afterLeaseMs'), 's', decisionGoal),
    atMost('  the same, slowest', most('afterLeaseMs'), 's', decisionGoal),
  ];
}

async function play(plane: Plane, fault: Fault): Promise<Round> {
  const host = await plane.leadOnOneHost();
  const keys = await plane.watchLeaderKey(host);
  const client = await plane.startClient(host);
  try {
    await until('writes', () => client.lines.filter(({ what }) => what === 'acked').length > 50);
    await until('decisions', () => client.lines.some(({ what }) => what === 'decided'));
    const beginMs = clock.monotonicMs();
    await fault.act(plane, host);
    const since = (what: string) => client.lines.filter((line) => line.what === what && line.atMs > beginMs);
    const leadsMs = await plane.untilAnotherLeads(host, LIMIT_MS);
    const isNew = (name: string): boolean => since('acked').some((line) => line.name === name);
    const decisions = () => since('decided').filter(({ name }) => isNew(name));
    await until('a decision about what was written since', () =>
      decisions().some(({ atMs }) => atMs > leadsMs),
    );
    await delay(AFTER_MS);
    const goneMs = keys.deletedMs().find((atMs) => atMs > beginMs);
    if (goneMs === undefined) throw new Error('The leader key was never given up');
    // Before it is gone, the old leader may have decided still.
    const first = decisions().find(({ atMs }) => atMs > goneMs);
    if (first === undefined) throw new Error('Nothing was decided');
    return {
      gapMs: longestGap(
        client.lines.filter(({ what }) => what === 'acked').map(({ atMs }) => atMs),
        beginMs,
      ),
      leadsMs: leadsMs - beginMs,
      decidedMs: first.atMs - beginMs,
      afterLeaseMs: first.atMs - goneMs,
    };
  } finally {
    await client.stop();
    keys.stop();
    await plane.repair();
  }
}

function longestGap(timesMs: readonly number[], fromMs: number): number {
  let longest = 0;
  for (const [index, atMs] of timesMs.entries()) {
    if (atMs < fromMs) continue;
    longest = Math.max(longest, atMs - (timesMs[index - 1] ?? atMs));
  }
  return longest;
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const limitMs = clock.monotonicMs() + LIMIT_MS;
  while (!isSo()) {
    if (clock.monotonicMs() > limitMs) throw new Error(`No ${what} within ${LIMIT_MS / 1_000} s`);
    await delay(10);
  }
}
