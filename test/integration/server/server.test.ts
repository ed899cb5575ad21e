import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess, findByArgument } from '../../../src/etcd/process-identity.ts';
import { freePort } from '../../support/free-port.ts';
import { type HostlerProcess, startHostler } from '../../support/hostler-process.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';

let dataDir: string;
let port: number;
let started: HostlerProcess[];
let kubectl: Kubectl;

const server = (...more: string[]) => {
  const one = startHostler([
    'server',
    '--data-dir',
    dataDir,
    '--listen',
    `127.0.0.1:${port}`,
    '--log-level',
    'warn',
    ...more,
  ]);
  started.push(one);
  return one;
};
const isReady = (one: HostlerProcess) => one.says('stdout', /Hostler is ready at .*\n/);
/** Whatever its exit code. */
const run = (args: string[], input = '') => kubectl.run(args, { input, code: 'any', deadlineMs: 30_000 });
const etcds = () => findByArgument(`--data-dir=${join(dataDir, 'etcd', 'etcd')}`);
const configMap = (name: string) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'hostler-server-'));
  port = await freePort();
  started = [];
  kubectl = await createKubectl(join(dataDir, 'admin.kubeconfig'));
});
afterEach(async () => {
  await kubectl.close();
  await Promise.all(started.map((one) => one.stop()));
  for (const left of await etcds()) await endProcess(left, 2_000);
  await rm(dataDir, { recursive: true, force: true });
});

describe('hostler server', () => {
  it('starts, says how to use it, keeps everything over a clean stop, and leaves nothing running', async () => {
    const first = server();
    const startMs = performance.now();
    expect(await isReady(first)).toBe(
      `Hostler is ready at https://127.0.0.1:${port}: export KUBECONFIG=${join(dataDir, 'admin.kubeconfig')}\n`,
    );
    process.stdout.write(`hostler server: ready after ${Math.round(performance.now() - startMs)} ms\n`);
    expect((await stat(join(dataDir, 'admin.kubeconfig'))).mode & 0o777).toBe(0o600);
    expect(await etcds()).toHaveLength(1);
    expect(await run(['create', '-f', '-'], configMap('kept'))).toMatchObject({ code: 0 });
    expect(await first.stop()).toBe(0);
    expect(await etcds()).toEqual([]);
    expect(existsSync(join(dataDir, 'server.lock'))).toBe(false);

    const second = server();
    await isReady(second);
    expect((await run(['get', 'configmap', 'kept', '-o', 'name'])).stdout).toBe('configmap/kept\n');
  });

  it('loses nothing that was acknowledged when everything is killed at once', async () => {
    const first = server();
    await isReady(first);
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let index = 0; ; index += 1) {
        const { code, stdout } = await run(['create', '-f', '-'], configMap(`c${index}`));
        if (code !== 0) return;
        acknowledged.push(stdout.trim().split(' ')[0] as string);
      }
    })();
    while (acknowledged.length < 10) await new Promise((resolve) => setTimeout(resolve, 10));
    const [etcd] = await etcds();
    process.kill(etcd?.pid as number, 'SIGKILL');
    first.signal('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    await writing;

    const second = server();
    await isReady(second);
    const kept = new Set((await run(['get', 'configmaps', '-o', 'name'])).stdout.split('\n'));
    expect(acknowledged.length).toBeGreaterThanOrEqual(10);
    expect(acknowledged.filter((name) => !kept.has(name))).toEqual([]);
  });

  it('is back by itself after its etcd was killed, with the controllers', async () => {
    const one = server();
    await isReady(one);
    const [etcd] = await etcds();
    process.kill(etcd?.pid as number, 'SIGKILL');
    const deadline = performance.now() + 20_000;
    let result = await run(['create', '-f', '-'], configMap('after'));
    while (result.code !== 0 && performance.now() < deadline)
      result = await run(['create', '-f', '-'], configMap('after'));
    expect(result).toMatchObject({ code: 0 });
    const container = {
      apiVersion: 'hostler.dev/v1alpha1',
      kind: 'Container',
      metadata: { name: 'web' },
      spec: { image: 'images:debian/12' },
    };
    expect(await run(['create', '-f', '-'], JSON.stringify(container))).toMatchObject({ code: 0 });
    const waited = await run(['wait', '--for=condition=Scheduled=false', 'container/web', '--timeout=20s']);
    expect(waited).toMatchObject({ code: 0 });
  });

  it('says that the port is taken, and ends its etcd', async () => {
    const blocker: Server = createServer();
    await new Promise<void>((resolve) => blocker.listen(port, '127.0.0.1', resolve));
    try {
      const one = server();
      expect(await one.ended).toBe(1);
      expect(one.stderr).toMatch(
        new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}: .*address already in use`),
      );
      expect(await etcds()).toEqual([]);
    } finally {
      blocker.close();
    }
  });

  it('says that another server uses the data folder', async () => {
    const first = server();
    await isReady(first);
    const second = startHostler(['server', '--data-dir', dataDir, '--listen', '127.0.0.1:0']);
    started.push(second);
    expect(await second.ended).toBe(1);
    expect(second.stderr).toContain(`${dataDir} is in use by another server: process ${first.pid}`);
    expect((await run(['get', 'nodes'])).code).toBe(0);
  });

  it('says how to get etcd when there is none', async () => {
    const one = server('--etcd-binary', '/nonexistent/etcd');
    expect(await one.ended).toBe(1);
    expect(one.stderr).toContain('There is no etcd at /nonexistent/etcd (--etcd-binary)');
  });
});
