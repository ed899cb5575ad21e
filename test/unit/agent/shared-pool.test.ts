import { describe, expect, it } from '@jest/globals';
import { createSharedPools } from '../../../src/agent/pools/shared-pool.ts';
import type { Node } from '../../../src/crds/node.ts';
import type { StoragePool } from '../../../src/crds/storage-pool.ts';
import { summarizePool } from '../../../src/plan/storage/pool-status.ts';
import { anchorOf } from '../../../src/plan/storage/shared-proof.ts';
import { node, poolOn, storagePool } from '../../support/cluster-objects.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import {
  copyOf,
  createFakeFilesystem,
  createFakeFolders,
  type FakeFilesystem,
} from '../../support/fake-folders.ts';

const SOURCE = '/mnt/shared';

/** Some nodes, and a leader that sums up what they say after each round of looks. */
function createCluster(mounts: Record<string, FakeFilesystem | undefined>) {
  const clock = createFakeClock();
  let pool: StoragePool = storagePool('shared', { spec: { access: 'Shared', source: SOURCE } });
  const hosts = new Map(
    Object.entries(mounts).map(([name, filesystem]) => {
      const folders = createFakeFolders();
      if (filesystem !== undefined) folders.mounts.set(SOURCE, filesystem);
      const start = () => createSharedPools({ nodeName: name, clock, folders });
      const host = { folders, agent: start(), start, node: node(name, { status: { pools: [] } }) };
      return [name, host] as const;
    }),
  );
  const hostOf = (name: string) => hosts.get(name) as NonNullable<ReturnType<typeof hosts.get>>;
  return {
    hostOf,
    anchor: () => pool.status?.anchor?.node,
    reasons: () => Object.fromEntries([...hosts].map(([name, host]) => [name, reasonOf(host.node)])),
    restart: (name: string) => {
      const host = hostOf(name);
      host.agent = host.start();
    },
    async rounds(count = 4) {
      for (let round = 0; round < count; round++) {
        for (const [name, host] of hosts) {
          const entry = poolOn('shared', { proof: undefined as never, ...(await host.agent.look(pool)) });
          if (entry.proof === undefined) delete entry.proof;
          host.node = node(name, { status: { pools: [entry] } });
        }
        const nodes = [...hosts.values()].map((host) => host.node);
        const anchor = anchorOf(pool, nodes);
        const { nodes: states } = summarizePool({ pool, nodes, containers: [] });
        pool = { ...pool, status: { nodes: states, ...(anchor === undefined ? {} : { anchor }) } };
        await clock.advance(1_000);
      }
    },
    later: (ms: number) => clock.advance(ms),
  };
}

function reasonOf({ status }: Node): string | undefined {
  return status?.pools?.[0]?.reason;
}

describe('a Shared pool', () => {
  it('is ready on all nodes that have the same filesystem', async () => {
    const filesystem = createFakeFilesystem();
    const cluster = createCluster({ a: filesystem, b: filesystem, c: filesystem });
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready', c: 'Ready' });
    expect(filesystem.marker).toBe('uid-shared');
  });

  it('is trusted on a single node', async () => {
    const cluster = createCluster({ a: createFakeFilesystem() });
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready' });
  });

  it('is refused where nothing, or another empty filesystem, is mounted', async () => {
    const cluster = createCluster({ a: createFakeFilesystem(), b: undefined, c: createFakeFilesystem() });
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'NotMounted', c: 'NotTheSameFilesystem' });
  });

  it('is refused where a copy is mounted, before or while the others run, and never confirmed by it', async () => {
    const filesystem = createFakeFilesystem();
    const cluster = createCluster({ a: filesystem, b: filesystem, c: undefined });
    await cluster.rounds();
    cluster.hostOf('c').folders.mounts.set(SOURCE, copyOf(filesystem));
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready', c: 'Proving' });
    await cluster.later(15_000);
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready', c: 'NotTheSameFilesystem' });
  });

  it('is refused where a copy takes the place of the filesystem, also on the anchor when it starts again', async () => {
    const filesystem = createFakeFilesystem();
    const cluster = createCluster({ a: filesystem, b: filesystem });
    await cluster.rounds();
    expect(cluster.anchor()).toBe('a');
    cluster.hostOf('a').folders.mounts.set(SOURCE, copyOf(filesystem));
    cluster.restart('a');
    await cluster.rounds();
    expect(cluster.anchor()).toBe('b');
    await cluster.later(15_000);
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'NotTheSameFilesystem', b: 'Ready' });
  });

  it('is proved anew after each start of an agent, whichever it is', async () => {
    const filesystem = createFakeFilesystem();
    const cluster = createCluster({ a: filesystem, b: filesystem, c: filesystem });
    await cluster.rounds();
    for (const name of ['a', 'b', 'c']) {
      cluster.restart(name);
      await cluster.rounds();
      expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready', c: 'Ready' });
    }
    for (const name of ['a', 'b', 'c']) cluster.restart(name);
    await cluster.rounds(6);
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready', c: 'Ready' });
  });

  it('is refused where it goes away, and ready again once it is back', async () => {
    const filesystem = createFakeFilesystem();
    const cluster = createCluster({ a: filesystem, b: filesystem });
    await cluster.rounds();
    const { mounts } = cluster.hostOf('b').folders;
    mounts.delete(SOURCE);
    await cluster.rounds(1);
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'NotMounted' });
    mounts.set(SOURCE, filesystem);
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'Ready', b: 'Ready' });
  });

  it('does not take a filesystem that belongs to another', async () => {
    const filesystem = createFakeFilesystem();
    filesystem.marker = 'uid-other';
    const cluster = createCluster({ a: filesystem });
    await cluster.rounds();
    expect(cluster.reasons()).toEqual({ a: 'ForeignPool' });
    expect(filesystem.notes.size).toBe(0);
  });
});
