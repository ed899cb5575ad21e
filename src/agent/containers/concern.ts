import type { Container, ContainerMigration } from '../../crds/container.ts';
import { isSameJson } from '../../reconcile/same-json.ts';

/** Whether a change of a Container may ask something of its host: that it is going to move, or whence it came, does not. */
export function concernsHost(old: Container | undefined, now: Container | undefined): boolean {
  if (old === undefined || now === undefined) return true;
  if (!isQuiet(old.status?.migration) || !isQuiet(now.status?.migration)) return true;
  return !isSameJson(essence(old), essence(now));
}

/** The source runs it as ever. */
function isQuiet(claim: ContainerMigration | undefined): boolean {
  return claim === undefined || claim.stage === 'Copying';
}

function essence({ metadata, spec, status }: Container): object {
  const { migration: _migration, drainedFrom: _drainedFrom, ...rest } = status ?? {};
  return { metadata: { ...metadata, resourceVersion: undefined, managedFields: undefined }, spec, rest };
}
