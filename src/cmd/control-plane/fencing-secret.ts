import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type Secret, secretRef } from '../../crds/secret.ts';
import type { ObjectStore } from '../../ports/object-store.ts';

/** The decoded data of a Secret that a fencing device wants; undefined: there is none of that name. */
export async function readFencingSecret(
  store: Pick<ObjectStore, 'get'>,
  name: string,
  signal: AbortSignal,
): Promise<Record<string, string> | undefined> {
  const key = { namespace: NODE_LEASE_NAMESPACE, name };
  const secret = await store.get<Secret>(secretRef, key, signal);
  if (secret === undefined) return undefined;
  const decoded = Object.entries(secret.data ?? {}).map(([field, text]) => [
    field,
    Buffer.from(text, 'base64').toString('utf8'),
  ]);
  return Object.fromEntries(decoded) as Record<string, string>;
}
