import { HostlerError } from '../../src/ports/errors.ts';
import type { HostDriver, HostPool } from '../../src/ports/host-driver.ts';
import type { FakeDaemon } from './fake-daemon.ts';
import { checkPool } from './fake-host-checks.ts';
import type { FakeHost, FakePool } from './fake-host.ts';
import { isRootPool, notOurs, onSharedStorage } from './fake-shared-roots.ts';

/** Storage pools, as the fake host has them. */

const TOTAL_BYTES = 10 * 2 ** 30;

export function fakePools({
  call,
  host,
}: FakeDaemon): Pick<HostDriver, 'listPools' | 'ensurePool' | 'deletePool'> {
  return {
    listPools: (signal) =>
      call('listPools', '', signal, () => [...host().pools.values()].map((pool) => seenPool(pool, host()))),
    ensurePool: (spec, signal) =>
      call('ensurePool', spec.name, signal, () => {
        const old = host().pools.get(spec.name);
        if (old !== undefined && old.spec.uid !== spec.uid) {
          throw new HostlerError('AlreadyExists', `there is another storage pool ${spec.name} on the host`);
        }
        checkPool(spec, old);
        host().pools.set(spec.name, { spec, usedBytes: old?.usedBytes ?? 0 });
      }),
    deletePool: (name, uid, signal) =>
      call('deletePool', name, signal, () => {
        const pool = host().pools.get(name);
        if (pool === undefined) return;
        if (pool.spec.uid !== uid) throw notOurs(`storage pool ${name}`);
        if (isRootPool(pool, uid)) throw onSharedStorage(`storage pool ${name}`);
        if (isUsed(name, host())) throw new HostlerError('Conflict', `storage pool ${name} is in use`);
        host().pools.delete(name);
      }),
  };
}

function seenPool({ spec, usedBytes }: FakePool, host: FakeHost): HostPool {
  return {
    name: spec.name,
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    driver: spec.driver,
    ...(spec.driver === 'dir' ? { path: spec.source ?? `/storage-pools/${spec.name}` } : {}),
    status: 'Created',
    totalBytes: spec.sizeBytes ?? TOTAL_BYTES,
    usedBytes,
    inUse: isUsed(spec.name, host),
  };
}

function isUsed(pool: string, host: FakeHost): boolean {
  return [...host.instances.values()].some(({ spec }) => spec.rootPool === pool);
}
