import { waitsForRestart } from '../../src/incus/settings.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { HostDriver, Instance, LastEnd } from '../../src/ports/host-driver.ts';
import type { FakeDaemon } from './fake-daemon.ts';
import { checkSpec } from './fake-host-checks.ts';
import type { FakeInstance } from './fake-host.ts';
import { keepShared, makeRootPool, notOurs, onSharedStorage } from './fake-shared-roots.ts';
import { refuseIncoming } from './fake-transfers.ts';

/** Instances, as the fake host has them. */

type Instances = Pick<
  HostDriver,
  | 'listInstances'
  | 'getInstance'
  | 'getAddresses'
  | 'createInstance'
  | 'updateInstance'
  | 'startInstance'
  | 'stopInstance'
  | 'deleteInstance'
  | 'getLastEnd'
>;

export function fakeInstances(
  { call, stamp, emit, start, stop, existing, ours, host }: FakeDaemon,
  hasImage: (fingerprint: string) => boolean,
): Instances {
  return {
    listInstances: (signal) =>
      call('listInstances', '', signal, () =>
        [...host().instances]
          .filter(([, { spec }]) => spec.mark !== undefined)
          .map(([name, it]) => seen(name, it)),
      ),
    getInstance: (name, signal) =>
      call('getInstance', name, signal, () => {
        const instance = host().instances.get(name);
        return instance === undefined ? undefined : seen(name, instance);
      }),
    getAddresses: (name, signal) =>
      call('getAddresses', name, signal, () => {
        const index = [...host().instances.keys()].indexOf(name);
        const { status, spec } = host().instances.get(name) ?? {};
        return status === 'Running' && spec !== undefined && spec.networks.length > 0
          ? [`192.0.2.${10 + index}`]
          : [];
      }),
    createInstance: (spec, options, signal) =>
      call('createInstance', spec.name, signal, () => {
        const old = host().instances.get(spec.name);
        if (old !== undefined && old.spec.mark?.uid !== spec.mark.uid) {
          throw new HostlerError('AlreadyExists', `there is another instance ${spec.name} on the host`);
        }
        if (old === undefined) {
          if (spec.rootSource !== undefined) makeRootPool(spec, host());
          checkSpec(spec, host());
          if (!hasImage(spec.imageFingerprint)) {
            throw new HostlerError('Invalid', `image ${spec.imageFingerprint} is not on the host`);
          }
          host().instances.set(spec.name, { spec, status: 'Stopped', createdAt: stamp(), startedWith: {} });
          keepShared(spec.name, host());
          emit({ type: 'created', name: spec.name });
        }
        const instance = existing(spec.name);
        refuseIncoming(spec.name, instance);
        if (options.start && instance.status !== 'Running') start(spec.name, instance);
      }),
    updateInstance: (spec, signal) =>
      call('updateInstance', spec.name, signal, () => {
        const instance = ours(spec.name);
        if (instance.spec.mark?.uid !== spec.mark.uid) throw notOurs(`instance ${spec.name}`);
        refuseIncoming(spec.name, instance);
        checkSpec(spec, host());
        if (spec.rootPool !== instance.spec.rootPool)
          throw new HostlerError('Invalid', 'the root pool is fixed');
        if (JSON.stringify(instance.spec) !== JSON.stringify(spec))
          emit({ type: 'updated', name: spec.name });
        const { rootSource } = instance.spec;
        instance.spec = { ...spec, ...(rootSource === undefined ? {} : { rootSource }) };
        keepShared(spec.name, host());
        return { restartRequired: instance.status === 'Running' ? differences(instance) : [] };
      }),
    startInstance: (name, signal) =>
      call('startInstance', name, signal, () => {
        const instance = ours(name);
        refuseIncoming(name, instance);
        if (instance.status !== 'Running') start(name, instance);
      }),
    stopInstance: (name, _graceMs, signal) =>
      call('stopInstance', name, signal, () => {
        if (!host().instances.has(name)) return;
        const instance = ours(name);
        if (instance.status !== 'Stopped') stop(name, instance, true);
      }),
    deleteInstance: (name, uid, signal) =>
      call('deleteInstance', name, signal, () => {
        const instance = host().instances.get(name);
        if (instance === undefined) return;
        if (instance.spec.mark?.uid !== uid) throw notOurs(`instance ${name}`);
        if (instance.spec.rootSource !== undefined) throw onSharedStorage(`instance ${name}`);
        refuseIncoming(name, instance);
        if (instance.status !== 'Stopped') throw new HostlerError('Conflict', `instance ${name} is running`);
        emit({ type: 'deleted', name });
        host().instances.delete(name);
      }),
    getLastEnd: (name, signal) =>
      call('getLastEnd', name, signal, () => {
        const unknown: LastEnd = { kind: 'unknown', message: 'How it ended is not known' };
        return host().instances.get(name)?.lastEnd ?? unknown;
      }),
  };
}

function seen(name: string, { spec, status, createdAt, lastStartedAt, incoming }: FakeInstance): Instance {
  return {
    name,
    ...(spec.mark === undefined ? {} : { mark: spec.mark }),
    ...(spec.rootSource === undefined ? {} : { isRootShared: true }),
    ...(incoming === undefined ? {} : { incoming: incoming.migration }),
    status,
    imageFingerprint: spec.imageFingerprint,
    createdAt,
    ...(lastStartedAt === undefined ? {} : { lastStartedAt }),
  };
}

function differences({ spec: { config }, startedWith }: FakeInstance): string[] {
  const keys = new Set([...Object.keys(config), ...Object.keys(startedWith)]);
  return [...keys].filter((key) => waitsForRestart(key) && config[key] !== startedWith[key]).sort();
}
