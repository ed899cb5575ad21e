import { expect } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIncusDriver } from '../../../src/incus/driver.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';
import type { SharedBench } from './suite.ts';

/** Two real daemons; the folder is one that both see, as a filesystem that is mounted on both would be. */
export async function startSharedBench(runtime: 'incus' | 'lxd'): Promise<SharedBench> {
  const directory = await mkdtemp(join(tmpdir(), 'hostler-shared-'));
  await chmod(directory, 0o711);
  const hosts = await Promise.all([startTestHost(runtime), startTestHost(runtime)]);
  const [hostA, hostB] = hosts.map(driverOf) as [ReturnType<typeof driverOf>, ReturnType<typeof driverOf>];
  const cli = runtime === 'incus' ? 'incus' : 'lxc';
  const dataPath = (source: string, instance: string) =>
    join(source, 'containers', instance, 'rootfs', 'data');
  return {
    hostA,
    hostB,
    image: hosts[0].image,
    network: hosts[0].network,
    folder: async (name) => {
      const folder = join(directory, name);
      await mkdir(folder, { mode: 0o711 });
      return folder;
    },
    write: (source, instance, text) => writeFile(dataPath(source, instance), text),
    read: async (source, instance) => {
      try {
        return await readFile(dataPath(source, instance), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    cutShort: async (driver, { name, pool }) => {
      const host = hosts[driver === hostA ? 0 : 1];
      const query = `DELETE FROM storage_volumes WHERE storage_pool_id=(SELECT id FROM storage_pools WHERE name='${pool}')`;
      await host.ask('POST', '/internal/sql', { database: 'global', query });
      const { stderr } = await host.host.exec([cli, 'start', name], { allowFailure: true });
      expect(stderr).toContain('Instance storage pool not found');
    },
    // LXD 5.0.2 does not find the idmapped mounts of kernel 6.18.
    shiftsOwners: runtime === 'incus',
    seenInside: async (driver, instance, source) => {
      const host = hosts[driver === hostA ? 0 : 1];
      const lines = (await readFile(join(source, 'seen'), 'utf8').catch(() => '')).split('\n').length;
      const script = `test $(cat /srv/data/seen 2>/dev/null | wc -l) -eq ${lines - 1} && echo ${instance} >>/srv/data/seen`;
      await host?.host.exec([cli, 'exec', instance, '--', 'sh', '-c', script]);
      return (await readFile(join(source, 'seen'), 'utf8')).split('\n').length === lines + 1;
    },
    stop: async () => {
      await Promise.all([hostA.close(), hostB.close()]);
      await Promise.all(hosts.map((host) => host.stop()));
      await rm(directory, { recursive: true });
    },
  };
}

function driverOf({ socketPath }: TestHost) {
  const endpoint = { socketPath };
  return createIncusDriver({ endpoint, clock: systemClock, logger: silentLogger, metrics: noMetrics });
}
