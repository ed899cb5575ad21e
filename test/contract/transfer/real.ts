import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { startTestPair } from '../../support/test-pair.ts';
import type { TransferBench } from './harness.ts';

const REQUESTS = {
  offerTransfer: /^POST \/1\.0\/instances\/[^/ ]+ /,
  pullTransfer: /^POST \/1\.0\/instances /,
  acceptTransfer: /^PUT \/1\.0\/instances\/[^/ ]+ /,
  dropTransfer: /^DELETE \/1\.0\/instances\/[^/ ]+ /,
};

/** Two real daemons on one link. */
export async function startTransferBench(
  runtime: 'incus' | 'lxd',
  pool: 'dir' | 'btrfs',
): Promise<TransferBench> {
  const pair = await startTestPair(runtime, { pools: [pool] });
  const [source, target] = pair.hosts;
  const hosts = { source, target };
  return {
    source: source.driver,
    target: target.driver,
    image: pair.image,
    pool,
    network: 'incusbr0',
    write: async (name, file, text, size = text.length) => {
      // Incompressible, so that what goes over the wire can be counted.
      const bytes = Buffer.concat([Buffer.from(text), randomBytes(size - text.length)]);
      await writeFile(source.pathIn(pool, name, file), bytes);
    },
    read: async (name, file) => {
      try {
        return (await readFile(target.pathIn(pool, name, file), 'latin1')).slice(0, 1_000);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    hardwareAddress: async (host, name) => {
      const { config } = (await hosts[host].ask('GET', `/1.0/instances/${name}`)) as {
        config: Record<string, string>;
      };
      return config['volatile.eth0.hwaddr'];
    },
    slowly: (run) => run(),
    loseReply: (host, call) => hosts[host].proxy.loseReplyTo(REQUESTS[call]),
    killDaemon: async (host) => {
      await hosts[host].host.killDaemon('SIGKILL');
    },
    startDaemon: (host) => hosts[host].host.startDaemon(),
    stop: () => pair.stop(),
  };
}
