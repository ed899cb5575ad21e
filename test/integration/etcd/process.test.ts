import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findByArgument, identify } from '../../../src/etcd/process-identity.ts';
import { startEmbeddedEtcd } from '../../../src/etcd/process.ts';
import type { EmbeddedEtcd } from '../../../src/etcd/process.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { errorCode, messageOf } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Storage } from '../../../src/ports/storage.ts';

const program = fileURLToPath(new URL('../../support/etcd-supervisor-program.ts', import.meta.url));

describe('the embedded etcd', () => {
  let folder: string;
  let dataDir: string;
  let etcd: EmbeddedEtcd | undefined;
  const storages: Storage[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-embedded-'));
    dataDir = join(folder, 'data');
  });
  afterEach(async () => {
    for (const storage of storages.splice(0)) await storage.close();
    await etcd?.stop();
    etcd = undefined;
    expect(await findByArgument(`--data-dir=${join(dataDir, 'etcd')}`)).toEqual([]);
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (options: { binary?: string } = {}): Promise<EmbeddedEtcd> => {
    const listenClientUrl = 'http://127.0.0.1:0';
    const { signal } = new AbortController();
    etcd = await startEmbeddedEtcd({ dataDir, listenClientUrl, logger: silentLogger, signal, ...options });
    return etcd;
  };
  const open = (endpoint: string): Storage => {
    const storage = createEtcdStorage({ endpoints: [endpoint], logger: silentLogger });
    storages.push(storage);
    return storage;
  };
  const put = async (storage: Storage, key: string): Promise<void> => {
    expect(await storage.put(key, Buffer.from('x'), 0)).toMatchObject({ ok: true });
  };

  it('serves, in a folder for its owner alone, and keeps its data over a clean stop', async () => {
    const startMs = performance.now();
    const first = await start();
    process.stdout.write(`embedded etcd serves after ${Math.round(performance.now() - startMs)} ms\n`);
    await put(open(first.endpoint), '/kept');
    const { mode } = await stat(dataDir);
    await first.stop();
    expect(await first.exited).toEqual({ reason: 'stopped' });
    const second = await start();
    expect((await open(second.endpoint).get('/kept')).entry).toBeDefined();
    expect(mode & 0o777).toBe(0o700);
  });

  it('is started again when it dies, on the same address and data', async () => {
    const { endpoint, pid } = await start();
    const storage = open(endpoint);
    await put(storage, '/before');
    process.kill(pid, 'SIGKILL');
    await put(storage, '/after');
    expect((await storage.list('/')).count).toBe(2);
    expect(etcd?.pid).not.toBe(pid);
  });

  it('is stopped by its signal', async () => {
    const abort = new AbortController();
    const listenClientUrl = 'http://127.0.0.1:0';
    etcd = await startEmbeddedEtcd({ dataDir, listenClientUrl, logger: silentLogger, signal: abort.signal });
    const { pid } = etcd;
    abort.abort();
    expect(await etcd.exited).toEqual({ reason: 'stopped' });
    expect(await identify(pid)).toBeUndefined();
  });

  it('ends what a killed server left behind, and only once that server is dead', async () => {
    const server = spawn(process.execPath, ['--no-warnings', program, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {},
    });
    const [line] = (await once(server.stdout, 'data')) as [Buffer];
    const [pid = '', endpoint = ''] = line.toString().trim().split(' ');
    await put(open(endpoint), '/kept');
    await expect(start().catch((error: unknown) => errorCode(error))).resolves.toBe('Conflict');
    expect(await identify(Number(pid))).toBeDefined();
    server.kill('SIGKILL');
    await once(server, 'exit');
    expect(await identify(Number(pid))).toBeDefined();
    const second = await start();
    expect(await identify(Number(pid))).toBeUndefined();
    expect((await open(second.endpoint).get('/kept')).entry).toBeDefined();
  });

  it.each([
    ['is not there', '/nowhere/etcd', /ENOENT/],
    ['ends at once', '/bin/false', /code 1/],
  ])('rejects with the reason when the program %s', async (_name, binary, reason) => {
    const error = await start({ binary }).catch((thrown: unknown) => thrown);
    expect(errorCode(error)).toBe('Unavailable');
    expect(messageOf(error)).toMatch(reason);
  });
});
