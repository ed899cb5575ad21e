import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { type HostlerProcess, startHostler } from '../../support/hostler-process.ts';
import { createKubectl } from '../../support/kubectl.ts';

let etcd: EtcdServer;
let dataDir: string;
let one: HostlerProcess | undefined;

beforeAll(async () => {
  etcd = await startEtcd();
  dataDir = await mkdtemp(join(tmpdir(), 'hostler-apiserver-'));
}, 30_000);

afterAll(async () => {
  await one?.stop();
  await etcd?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

it('hostler apiserver says when it is ready and how to use it, and is', async () => {
  const args = [
    '--data-dir',
    dataDir,
    '--listen',
    '127.0.0.1:0',
    '--etcd',
    etcd.endpoint,
    '--log-level',
    'warn',
  ];
  one = startHostler(['apiserver', ...args]);
  const kubeconfig = join(dataDir, 'admin.kubeconfig');
  const line = await one.says('stdout', /The API is ready at .*\n/);
  expect(line).toMatch(/^The API is ready at https:\/\/127\.0\.0\.1:\d+: export KUBECONFIG=/);
  expect(line.trimEnd().endsWith(kubeconfig)).toBe(true);
  const kubectl = await createKubectl(kubeconfig);
  const { stdout } = await kubectl.run(['get', 'namespace', 'default', '-o', 'name']);
  await kubectl.close();
  expect(stdout).toBe('namespace/default\n');
  expect(await one.stop()).toBe(0);
  expect(one.stdout).toBe(line);
});
