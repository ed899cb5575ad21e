import { HostlerError } from '../../src/ports/errors.ts';
import type { HostDriver, InstanceSpec, SharedRoot } from '../../src/ports/host-driver.ts';
import type { FakeDaemon } from './fake-daemon.ts';
import { checkSpec } from './fake-host-checks.ts';
import type { FakeHost, FakeInstance, FakePool } from './fake-host.ts';

/** Roots on shared storage, as the fake host has them. */

/** An instance as its folder keeps it, whichever host has it. */
export type SharedInstance = Pick<FakeInstance, 'spec' | 'createdAt'>;

/** Marks the pool of one instance on shared storage. */
const ROOT_OF = 'user.root-of';

export function fakeSharedRoots({
  call,
  emit,
  host,
}: FakeDaemon): Pick<HostDriver, 'recoverInstance' | 'forgetInstance'> {
  return {
    recoverInstance: (root, signal) =>
      call('recoverInstance', root.name, signal, () => {
        if (knownRoot(root, host()) !== undefined) return;
        const found = host().sharedRoots.get(root.source);
        if (found?.spec.name !== root.name || found.spec.mark?.uid !== root.uid) {
          throw new HostlerError('NotFound', `there is no instance ${root.name} in ${root.source}`);
        }
        makeRootPool({ ...(found.spec as InstanceSpec), rootSource: root.source }, host());
        checkSpec(found.spec as InstanceSpec, host());
        host().instances.set(root.name, { ...found, status: 'Stopped', startedWith: {} });
        emit({ type: 'created', name: root.name });
      }),
    forgetInstance: (root, signal) =>
      call('forgetInstance', root.name, signal, () => {
        const instance = knownRoot(root, host());
        if (instance !== undefined && instance.status !== 'Stopped') {
          throw new HostlerError('Conflict', `instance ${root.name} is running`);
        }
        const pool = host().pools.get(root.pool);
        if (pool !== undefined && !isRootPool(pool, root.uid)) throw notOurs(`storage pool ${root.pool}`);
        host().instances.delete(root.name);
        host().pools.delete(root.pool);
      }),
  };
}

export function makeRootPool(
  { rootPool: name, rootSource: source = '', mark: { uid } }: InstanceSpec,
  host: FakeHost,
): void {
  const old = host.pools.get(name);
  if (old !== undefined && !isRootPool(old, uid)) throw notOurs(`storage pool ${name}`);
  host.pools.set(name, {
    spec: { name, uid, driver: 'dir', source, config: { [ROOT_OF]: uid } },
    usedBytes: 0,
  });
}

export function isRootPool({ spec }: FakePool, uid: string): boolean {
  return spec.config[ROOT_OF] === uid;
}

export function keepShared(name: string, host: FakeHost): void {
  const instance = host.instances.get(name);
  const source = instance === undefined ? undefined : host.pools.get(instance.spec.rootPool)?.spec.source;
  if (instance?.spec.rootSource === undefined || source === undefined) return;
  host.sharedRoots.set(source, { spec: instance.spec, createdAt: instance.createdAt });
}

export function knownRoot(
  { name, uid, pool }: Omit<SharedRoot, 'source'>,
  host: FakeHost,
): FakeInstance | undefined {
  const instance = host.instances.get(name);
  if (instance === undefined) return undefined;
  if (
    instance.spec.mark?.uid !== uid ||
    instance.spec.rootSource === undefined ||
    instance.spec.rootPool !== pool
  ) {
    throw notOurs(`instance ${name}`);
  }
  return instance;
}

export function notOurs(what: string): HostlerError {
  return new HostlerError('Forbidden', `${what} does not carry the expected mark`);
}

export function onSharedStorage(what: string): HostlerError {
  return new HostlerError('Forbidden', `${what} is on shared storage: it is never deleted from a host`);
}
