import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import type { FakeNetwork } from '../../support/fake-transfers.ts';
import { transferContract } from './suite.ts';

transferContract('moves between hosts: the fake hosts', async () => {
  const network: FakeNetwork = new Map();
  const [source, target] = ['https://192.0.2.1:8443', 'https://192.0.2.2:8443'].map((address) =>
    createFakeHost(systemClock, new Map(), { network, address }),
  ) as [FakeHost, FakeHost];
  for (const host of [source, target]) host.images.set('images:debian/12', 'a'.repeat(64));
  const hosts = { source, target };
  return {
    source,
    target,
    image: 'images:debian/12',
    pool: 'default',
    network: source.facts.networks[0] ?? '',
    write: async (name, file, text, size = text.length) => {
      const instance = source.instances.get(name);
      if (instance === undefined) throw new Error(`no instance ${name}`);
      instance.files = { ...instance.files, [file]: text.padEnd(size, '.') };
    },
    read: async (name, file) => target.instances.get(name)?.files?.[file],
    hardwareAddress: async (_host, name) => `hwaddr of ${name}`,
    slowly: async (run) => {
      target.passMs = 4_000;
      try {
        return await run();
      } finally {
        target.passMs = 0;
      }
    },
    loseReply: (host, call) => hosts[host].loseReply(call),
    killDaemon: async (host) => hosts[host].setDown(true),
    startDaemon: async (host) => hosts[host].setDown(false),
    stop: async () => {
      await Promise.all([source.close(), target.close()]);
    },
  };
});
