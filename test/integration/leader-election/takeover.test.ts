import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startEtcd } from '../../support/etcd-server.ts';
import type { EtcdServer } from '../../support/etcd-server.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import type { TcpProxy } from '../../support/tcp-proxy.ts';

/** One 'I act' line of test/support/election-program.ts. */
interface Act {
  atMs: number;
  holder: string;
  createRevision: number;
}

interface Replica {
  holder: string;
  child: ChildProcess;
  exited: Promise<number | string>;
}

const program = fileURLToPath(new URL('../../support/election-program.ts', import.meta.url));
/** TTL 5 s, etcd's look for expired leases every 0.5 s, and this machine's load. */
const longestTakeoverMs = 8_000;

describe('two controller processes on one etcd', () => {
  let etcd: EtcdServer;
  let proxy: TcpProxy;
  let folder: string;
  let file = '';
  let cases = 0;
  const replicas: Replica[] = [];
  const figures: string[] = [];

  beforeAll(async () => {
    etcd = await startEtcd();
    proxy = await startTcpProxy(etcd.endpoint);
    folder = await mkdtemp(join(tmpdir(), 'hostler-election-'));
  });
  afterEach(async () => {
    proxy.heal();
    for (const { child } of replicas) child.kill('SIGKILL');
    await Promise.all(replicas.map(({ exited }) => exited));
    replicas.length = 0;
  });
  afterAll(async () => {
    await proxy.stop();
    await etcd.stop();
    await rm(folder, { recursive: true, force: true });
    process.stdout.write(`leader takeover, TTL 5 s: ${figures.join(' · ')}\n`);
  });

  const start = (holder: string, endpoint: string): Replica => {
    const argv = ['--pdeathsig=KILL', process.execPath, '--no-warnings', program];
    const args = [...argv, endpoint, `/leader/${cases}`, holder, file];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'ignore', 'inherit'], env: {} });
    const exited = new Promise<number | string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
    });
    const replica = { holder, child, exited };
    replicas.push(replica);
    return replica;
  };

  const acts = (): Act[] => {
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.slice(0, -1).map((line) => {
      const [nanoseconds = '0', holder = '', revision = '0'] = line.split(' ');
      return { atMs: Number(BigInt(nanoseconds) / 1_000n) / 1_000, holder, createRevision: Number(revision) };
    });
  };

  const untilActs = async (holder: string): Promise<void> => {
    for (let tries = 0; tries < 1_000; tries++) {
      if (acts().some((act) => act.holder === holder)) return;
      await pause(20);
    }
    throw new Error(`${holder} never led`);
  };

  /** The first leads over the proxy, the second waits with a connection of its own. */
  const startBoth = async (): Promise<{ first: Replica; second: Replica }> => {
    file = join(folder, `acts-${++cases}`);
    const first = start('first', proxy.endpoint);
    await untilActs('first');
    const second = start('second', etcd.endpoint);
    // It has to have started before the first is hurt, or its start would count as takeover.
    await pause(1_500);
    return { first, second };
  };

  const nowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

  /** Fails if two ever led at once: sorted by time, all acts of the first must come before all of the second. */
  const expectNoOverlap = (): void => {
    const sorted = acts().toSorted((a, b) => a.atMs - b.atMs);
    const changes = sorted.filter((act, index) => index > 0 && act.holder !== sorted[index - 1]?.holder);
    expect(changes.map(({ holder }) => holder)).toEqual(['second']);
    expect(sorted.map((act) => act.createRevision)).toEqual(
      sorted.map((act) => act.createRevision).toSorted((a, b) => a - b),
    );
  };

  const measure = (name: string, hurtMs: number): number => {
    const tookMs = (acts().find(({ holder }) => holder === 'second')?.atMs ?? Number.NaN) - hurtMs;
    figures.push(`${name} ${(tookMs / 1_000).toFixed(2)} s`);
    return tookMs;
  };

  it('the second leads soon after the first got SIGKILL', async () => {
    const { first } = await startBoth();
    const hurtMs = nowMs();
    first.child.kill('SIGKILL');
    await untilActs('second');
    expectNoOverlap();
    expect(measure('SIGKILL', hurtMs)).toBeLessThan(longestTakeoverMs);
  });

  it('the second leads while the first is stopped, and the first does not act when it goes on', async () => {
    const { first } = await startBoth();
    const hurtMs = nowMs();
    first.child.kill('SIGSTOP');
    await untilActs('second');
    first.child.kill('SIGCONT');
    expect(await first.exited).toBe(3);
    await pause(300);
    expectNoOverlap();
    expect(measure('SIGSTOP', hurtMs)).toBeLessThan(longestTakeoverMs);
  });

  it('the first leads on when it was stopped for less than its deadline', async () => {
    const { first } = await startBoth();
    first.child.kill('SIGSTOP');
    await pause(2_000);
    first.child.kill('SIGCONT');
    await pause(5_000);
    expect(acts().filter(({ holder }) => holder === 'second')).toEqual([]);
    expect(acts().at(-1)?.atMs).toBeGreaterThan(nowMs() - 1_000);
  });

  it('the second leads when the connection of the first is silently dead, and the first stops before', async () => {
    const { first } = await startBoth();
    const hurtMs = nowMs();
    proxy.swallow('both');
    await untilActs('second');
    expect(await first.exited).toBe(3);
    await pause(300);
    expectNoOverlap();
    expect(measure('cut off (silent)', hurtMs)).toBeLessThan(longestTakeoverMs);
  });

  it('the second leads when the connection of the first is reset and refused, and the first stops before', async () => {
    const { first } = await startBoth();
    const hurtMs = nowMs();
    proxy.refuse();
    proxy.cut();
    await untilActs('second');
    expect(await first.exited).toBe(3);
    await pause(300);
    expectNoOverlap();
    expect(measure('cut off (refused)', hurtMs)).toBeLessThan(longestTakeoverMs);
  });

  it('the first leads on when its connection is only cut, again and again', async () => {
    await startBoth();
    for (let round = 0; round < 12; round++) {
      proxy.cut();
      await pause(500);
    }
    expect(acts().filter(({ holder }) => holder === 'second')).toEqual([]);
    expect(acts().at(-1)?.atMs).toBeGreaterThan(nowMs() - 1_000);
  });

  it('the second leads at once after a clean stop of the first', async () => {
    const { first } = await startBoth();
    const hurtMs = nowMs();
    first.child.kill('SIGTERM');
    await untilActs('second');
    expect(await first.exited).toBe(0);
    expectNoOverlap();
    expect(measure('clean stop', hurtMs)).toBeLessThan(1_500);
  });
});
