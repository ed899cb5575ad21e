import { HostlerError } from '../../src/ports/errors.ts';
import type { InstanceSpec, PoolSpec } from '../../src/ports/host-driver.ts';
import type { FakeHost, FakePool } from './fake-host.ts';

/** What a daemon refuses, as the fake host does. */

const KNOWN_KEY =
  /^(limits|security|environment|user|raw|linux|boot|cloud-init|nvidia|migration|snapshots|cluster)\./;

export function checkSpec(spec: InstanceSpec, host: FakeHost): void {
  const invalid = (message: string): HostlerError => new HostlerError('Invalid', message);
  for (const [key, value] of Object.entries(spec.config)) {
    if (!KNOWN_KEY.test(key)) throw invalid(`Invalid config: Unknown configuration key: ${key}`);
    if (/^(boot\.auto|user\.hostler\.)/.test(key)) throw invalid(`config key ${key} cannot be set`);
    if (/^security\.(nesting|privileged)$/.test(key) && !/^(true|false)$/.test(value)) {
      throw invalid(`Invalid config: Invalid value for a boolean "${value}"`);
    }
  }
  if (!host.pools.has(spec.rootPool)) throw invalid('Storage pool not found');
  const unknown = spec.networks.find(({ network }) => !host.facts.networks.includes(network));
  if (unknown !== undefined) throw invalid(`Failed to load network "${unknown.network}": Network not found`);
}

export function checkPool(spec: PoolSpec, old: FakePool | undefined): void {
  const bad = Object.keys(spec.config).find(
    (key) => !key.startsWith(`${spec.driver}.`) && !key.startsWith('user.'),
  );
  if (bad !== undefined) throw new HostlerError('Invalid', `Invalid option "${bad}"`);
  if (!['dir', 'btrfs', 'zfs', 'lvm'].includes(spec.driver)) {
    throw new HostlerError('Invalid', `no storage driver ${spec.driver}`);
  }
  if ((spec.sizeBytes ?? 0) < (old?.spec.sizeBytes ?? 0))
    throw new HostlerError('Invalid', 'a pool cannot shrink');
}
