import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeHost, FAKE_HOST_FACTS } from '../../support/fake-host.ts';
import { hostDriverContract } from './suite.ts';

const FAKE_ENDS = {
  'status 0': { kind: 'clean', message: 'Exited with status 0' },
  'status 3': { kind: 'error', message: 'Exited with status 3' },
  poweroff: { kind: 'clean', message: 'Powered itself off' },
} as const;

hostDriverContract('the fake host', async () => {
  const driver = createFakeHost(systemClock);
  const directory = await mkdtemp(join(tmpdir(), 'hostler-fake-'));
  const image = join(directory, 'busybox.tar.gz');
  const script = new URL('../../../scripts/busybox-image', import.meta.url);
  await promisify(execFile)(script.pathname, [image], { timeout: 30_000 });
  return {
    driver,
    directory,
    image: pathToFileURL(image).href,
    pool: 'default',
    network: FAKE_HOST_FACTS.networks[0] ?? '',
    growsPools: true,
    makeForeign: async (name) => {
      const spec = { name, imageFingerprint: '', rootPool: 'default', networks: [], config: {} };
      const createdAt = new Date(0).toISOString();
      driver.instances.set(name, { spec, status: 'Running', createdAt, startedWith: {} });
    },
    removeForeign: async (name) => void driver.instances.delete(name),
    killInit: async (name) => driver.crash(name),
    endInit: async (name, how) => driver.crash(name, FAKE_ENDS[how]),
    stopDaemon: async () => driver.setDown(true),
    startDaemon: async () => driver.setDown(false),
    loseReply: (change) => driver.loseReply(change),
    stop: async () => {
      await driver.close();
      await rm(directory, { recursive: true });
    },
  };
});
