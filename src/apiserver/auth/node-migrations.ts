import { isDeepStrictEqual } from 'node:util';
import { SOURCE_LABEL, TRANSFER_SECRET_TYPE, transferSecretPrefix } from '../../crds/migration.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { Secret } from '../../crds/secret.ts';
import type { ResourceAttributes } from './attributes.ts';
import type { Change, Decision, Restriction } from './authorizer.ts';

/**
 * What the agent of a node may do about migrations: say its own part of those that it has a part in, and hand over the keys of
 * a transfer, which none but the node that they are meant for can read.
 */
const FIELDS = {
  source: new Set(['sourceReport']),
  target: new Set(['targetReport', 'progress']),
} as const;

/** For `migrations/status`: only merge patches, since they name what they change. */
export const ownReports = (node: string): Restriction => ({
  refuse(existing, change) {
    const { source, target } = statusOf(existing);
    const allowed = new Set([
      ...(source === node ? FIELDS.source : []),
      ...(target === node ? FIELDS.target : []),
    ]);
    if (allowed.size === 0) return 'a node can only write about migrations that leave it or come to it';
    if (change.type !== 'patch' || change.patchType !== 'merge' || !isMap(change.body)) {
      return 'a node can change the status of a migration only by a merge patch';
    }
    const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, status = {}, ...rest } = change.body;
    const others = isMap(status) ? Object.keys(status).filter((field) => !allowed.has(field)) : ['status'];
    const [first] = [...Object.keys(rest), ...others.map((field) => `status.${field}`)];
    return first === undefined ? undefined : `a node cannot change ${first} of this migration`;
  },
});

export function transferSecrets({ verb, name, subresource }: ResourceAttributes, node: string): Decision {
  if (subresource !== undefined) return denied('');
  if (verb === 'get') {
    const isMeant = name?.startsWith(transferSecretPrefix(node)) === true;
    return isMeant ? { allowed: true } : denied('a node can only read the keys of transfers that come to it');
  }
  if (verb !== 'create' && verb !== 'patch') return denied('');
  return { allowed: true, restriction: ownTransfers(node) };
}

const ownTransfers = (node: string): Restriction => ({
  refuse(existing, change) {
    if (change.type === 'create') {
      return isTransferOf(change.object, node)
        ? undefined
        : 'a node can only make the keys of its own transfers';
    }
    if (!isTransferOf(existing, node)) return 'a node can only change the keys of its own transfers';
    return changesOnlyData(change)
      ? undefined
      : 'a node can only change the data of a Secret, by a merge patch';
  },
});

function isTransferOf(object: KubeObject | undefined, node: string): boolean {
  const secret: Secret | undefined = object;
  return (
    secret?.type === TRANSFER_SECRET_TYPE &&
    secret.metadata.labels?.[SOURCE_LABEL] === node &&
    secret.metadata.name.startsWith('transfer.')
  );
}

function changesOnlyData(change: Change): boolean {
  if (change.type !== 'patch' || change.patchType !== 'merge' || !isMap(change.body)) return false;
  return isDeepStrictEqual(Object.keys(change.body), ['data']);
}

const denied = (reason: string): Decision => ({ allowed: false, reason });

const statusOf = (object: KubeObject | undefined): Record<string, unknown> =>
  (object as { status?: Record<string, unknown> } | undefined)?.status ?? {};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
