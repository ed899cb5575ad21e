import { type Container, instanceNameOf } from '../../crds/container.ts';
import { DEFAULT_MIGRATION_POLICY } from '../../crds/container-migration.ts';
import { bytesOf, milliCpu } from '../../crds/quantity.ts';
import { rootPoolOf } from '../scheduling/requests.ts';
import { forbiddenConfigKeys } from './config-filter.ts';

/** The whole instance that a Container asks for: the shape of `InstanceSpec` in ports/host-driver. */
export interface PlannedInstance {
  name: string;
  mark: { uid: string; namespace: string; name: string; epoch: number; generation: number };
  imageFingerprint: string;
  rootPool: string;
  rootSource?: string;
  volumes?: readonly { name: string; source: string; path: string; readOnly: boolean }[];
  milliCpu?: number;
  memoryBytes?: number;
  diskBytes?: number;
  networks: readonly { name: string; network: string }[];
  movesLive?: boolean;
  config: Readonly<Record<string, string>>;
}

export interface InstanceDefaults {
  /** Network of `eth0` where the Container names none; absent: no interface. */
  defaultNetwork?: string;
  imageFingerprint: string;
  /** Where the root goes and which folders it sees. Default: on the pool of the host that is named as spec.rootPool. */
  storage?: Pick<PlannedInstance, 'rootPool' | 'rootSource' | 'volumes'>;
  /** Patterns for `spec.config`; keys beyond them are left out (and reported by `forbiddenConfigKeys`). */
  allowedConfig: readonly string[];
}

/**
 * Maps a Container, as the API server stored it, to the instance on its host. Deterministic: the same Container always
 * gives the same instance.
 */
export function instanceSpecOf(container: Container, defaults: InstanceDefaults): PlannedInstance {
  const { metadata, spec, status } = container;
  const { cpu, memory, disk } = spec.resources ?? {};
  const forbidden = new Set(forbiddenConfigKeys(spec.config, defaults.allowedConfig));
  return {
    name: instanceNameOf(container),
    mark: {
      uid: metadata.uid ?? '',
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      epoch: status?.epoch ?? 0,
      generation: metadata.generation ?? 0,
    },
    imageFingerprint: defaults.imageFingerprint,
    ...(defaults.storage ?? { rootPool: rootPoolOf(container) }),
    ...(cpu === undefined ? {} : { milliCpu: milliCpu(cpu) }),
    ...(memory === undefined ? {} : { memoryBytes: bytesOf(memory) }),
    ...(disk === undefined ? {} : { diskBytes: bytesOf(disk) }),
    networks: spec.networks ?? defaultNetworks(defaults.defaultNetwork),
    ...(movesLive(container) ? { movesLive: true } : {}),
    config: Object.fromEntries(Object.entries(spec.config ?? {}).filter(([key]) => !forbidden.has(key))),
  };
}

/** Volumes need idmapped mounts, which a live move does not restore. */
function movesLive({ spec: { migration, volumes } }: Container): boolean {
  const policy = migration?.policy ?? DEFAULT_MIGRATION_POLICY;
  return (policy === 'Live' || policy === 'LiveIfPossible') && (volumes ?? []).length === 0;
}

function defaultNetworks(network: string | undefined): { name: string; network: string }[] {
  return network === undefined ? [] : [{ name: 'eth0', network }];
}
