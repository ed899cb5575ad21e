import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { localPaths } from '../../../src/config/local.ts';
import { endProcess, identityOf, run, type RunResult } from '../../../src/cmd/local/process.ts';
import type { LocalStatus } from '../../../src/cmd/local/status.ts';
import { findLeaks } from '../../../src/cmd/local/teardown.ts';
import { createLocalState } from '../../support/local-state.ts';
import { freePort } from '../../support/free-port.ts';

const EXAMPLE = 'examples/01-first-container';

function hostler(argv: readonly string[], allowFailure = false): Promise<RunResult> {
  return run(['bin/hostler', ...argv], { timeoutMs: 120_000, allowFailure });
}

describe('a whole cluster', () => {
  const state = createLocalState();
  const { stateDir } = state;
  const inState = ['--state-dir', stateDir];
  let up: string[] = [];

  beforeAll(async () => {
    up = ['up', '--hosts', '3', '--port', String(await freePort()), ...inState];
  });
  afterAll(async () => {
    expect(await state.remove()).toEqual([]);
  }, 60_000);

  const kubectl = (...argv: string[]): Promise<RunResult> =>
    run(['kubectl', '--kubeconfig', localPaths(stateDir).kubeconfig, ...argv], { timeoutMs: 90_000 });

  async function status(): Promise<LocalStatus> {
    return JSON.parse((await hostler(['status', '--json', ...inState], true)).stdout) as LocalStatus;
  }

  async function kill(part: string): Promise<void> {
    const found = (await status()).parts.find((other) => other.part === part);
    const identity = identityOf(found?.pid ?? 0);
    if (identity === undefined) throw new Error(`${part} does not run`);
    await endProcess(identity, 0);
  }

  it('comes up: every part runs, every host is Ready', async () => {
    const { stdout } = await hostler(up);
    expect(stdout).toContain(`export KUBECONFIG=${localPaths(stateDir).kubeconfig}`);
    expect(await status()).toMatchObject({ healthy: true });
    const nodes = await kubectl('get', 'nodes', '-o', 'name');
    expect(nodes.stdout.trim().split('\n').sort()).toEqual([
      'node.hostler.dev/host-1',
      'node.hostler.dev/host-2',
      'node.hostler.dev/host-3',
    ]);
  }, 120_000);

  it('runs the first example, each container on a host of its own', async () => {
    await kubectl('apply', '-f', EXAMPLE);
    await kubectl('wait', '--for=condition=Ready', 'container', '--all', '--timeout=60s');
    const { stdout } = await kubectl('get', 'containers', '-o', 'jsonpath={.items[*].status.nodeName}');
    expect(stdout.split(' ').sort()).toEqual(['host-1', 'host-2', 'host-3']);
  }, 120_000);

  it('has nothing to do at a second up', async () => {
    expect((await hostler(up)).stdout).toBe('Everything runs already: nothing was done.\n');
  }, 60_000);

  it('gets back what was killed, and its containers ran on', async () => {
    const pids = await containerPids();
    for (const part of ['host-1 agent', 'host-2 daemon', 'server', 'forward']) await kill(part);
    const broken = await status();
    expect(broken.healthy).toBe(false);
    expect((await hostler(['status', ...inState], true)).code).toBe(1);
    await hostler(up);
    expect(await status()).toMatchObject({ healthy: true });
    expect(await containerPids()).toEqual(pids);
  }, 120_000);

  it('refuses options that it cannot change', async () => {
    const { code, stderr } = await hostler(['up', '--hosts', '2', ...inState], true);
    expect(code).toBe(1);
    expect(stderr).toContain('has 3 hosts already');
  });

  it('goes down without leaving anything, and down again does nothing', async () => {
    await hostler(['down', ...inState]);
    expect(findLeaks(stateDir)).toEqual([]);
    expect(existsSync(stateDir)).toBe(false);
    expect((await hostler(['down', ...inState])).stdout).toContain('nothing was done');
    expect((await hostler(['status', ...inState], true)).code).toBe(2);
  }, 60_000);

  async function containerPids(): Promise<string[]> {
    const script = 'for c in $(incus list -cn --format=csv); do incus info "$c"; done | grep -i ^PID:';
    const all = ['host-1', 'host-2', 'host-3'].map(async (host) => {
      const { stdout } = await hostler(['exec', host, ...inState, '--', 'sh', '-c', script]);
      return stdout.trim();
    });
    return Promise.all(all);
  }
});

describe('an up that is killed half-way', () => {
  it.each([150, 700, 1500, 3000])(
    'after %d ms is cleaned up by down',
    async (afterMs) => {
      const state = createLocalState();
      const { stateDir } = state;
      const port = String(await freePort());
      const argv = ['up', '--hosts', '2', '--port', port, '--state-dir', stateDir];
      const up = spawn('bin/hostler', argv, { stdio: 'ignore' });
      await delay(afterMs);
      up.kill('SIGKILL');
      await hostler(['down', '--state-dir', stateDir]);
      expect(findLeaks(stateDir)).toEqual([]);
      expect(await state.remove()).toEqual([]);
      expect(existsSync(stateDir)).toBe(false);
    },
    60_000,
  );
});
