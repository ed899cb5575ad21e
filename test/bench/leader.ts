import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { type EtcdServer, startEtcd } from '../support/etcd-server.ts';
import { atMost, type Figure, quantile } from './figure.ts';

const PROGRAM = fileURLToPath(new URL('../support/election-program.ts', import.meta.url));
const ROUNDS = 5;
const TTL_MS = 5_000;
const LIMIT_MS = 20_000;

/** Two controller processes with one etcd: from a signal to the one that leads until the other one's first act. */
export async function leaderTakeover(): Promise<Figure[]> {
  const etcd = await startEtcd();
  const folder = mkdtempSync(join(tmpdir(), 'hostler-leader-'));
  try {
    const tookMs: Record<'SIGKILL' | 'SIGSTOP' | 'SIGTERM', number[]> = {
      SIGKILL: [],
      SIGSTOP: [],
      SIGTERM: [],
    };
    for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTERM'] as const) {
      for (let round = 0; round < ROUNDS; round++) {
        tookMs[signal].push(await takeover(etcd, join(folder, `${signal}-${round}`), signal));
      }
    }
    const p50 = (values: readonly number[]): number => quantile(values, 0.5) / 1_000;
    const most = (values: readonly number[]): number => Math.max(...values) / 1_000;
    // The lease has between TTL - 1 s, the time between renewals, and TTL to go.
    const goal = (TTL_MS + 1_000) / 1_000;
    return [
      atMost(`leader SIGKILLed: the next one decides, p50 of ${ROUNDS}`, p50(tookMs.SIGKILL), 's', goal),
      atMost('leader SIGKILLed: slowest', most(tookMs.SIGKILL), 's', goal),
      atMost(`leader SIGSTOPped: p50 of ${ROUNDS}`, p50(tookMs.SIGSTOP), 's', goal),
      atMost(`leader stopped cleanly: p50 of ${ROUNDS}`, p50(tookMs.SIGTERM), 's', 0.2),
    ];
  } finally {
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function takeover(etcd: EtcdServer, file: string, signal: NodeJS.Signals): Promise<number> {
  const key = `/leader/${file}`;
  const first = start([etcd.endpoint, key, 'first', file]);
  let second: ChildProcess | undefined;
  try {
    await firstAct(file, 'first');
    second = start([etcd.endpoint, key, 'second', file]);
    // Its start is no part of the takeover.
    await delay(1_500);
    const hurtMs = clock.monotonicMs();
    first.kill(signal);
    return (await firstAct(file, 'second')) - hurtMs;
  } finally {
    for (const child of [first, second]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  }
}

function start(argv: readonly string[]): ChildProcess {
  const own = ['--pdeathsig=KILL', process.execPath, '--no-warnings', PROGRAM, ...argv];
  return spawn('setpriv', own, { stdio: ['ignore', 'ignore', 'inherit'], env: {} });
}

/** @returns when it acted, on the machine's monotonic clock */
async function firstAct(file: string, holder: string): Promise<number> {
  const untilMs = clock.monotonicMs() + LIMIT_MS;
  while (clock.monotonicMs() < untilMs) {
    const line = linesOf(file).find((text) => text.split(' ')[1] === holder);
    if (line !== undefined) return Number(line.split(' ')[0]) / 1e6;
    await delay(10);
  }
  throw new Error(`${holder} did not lead within ${LIMIT_MS / 1_000} s`);
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    // Nobody has led yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
