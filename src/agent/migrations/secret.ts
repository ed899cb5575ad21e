import {
  type Migration,
  migrationKind,
  SOURCE_LABEL,
  TRANSFER_SECRET_TYPE,
  transferSecretName,
} from '../../crds/migration.ts';
import { ownerReferenceTo } from '../../crds/object.ts';
import { type Secret, secretRef } from '../../crds/secret.ts';
import { hasCode } from '../../ports/errors.ts';
import type { TransferOffer } from '../../ports/host-transfer.ts';
import type { ObjectStore } from '../../ports/object-store.ts';

/** The keys of one pass, on their way from the source to the target: in a Secret, which the API shows to nobody else. */
export interface Offered {
  pass: number;
  offer: TransferOffer;
}

/** Written by the source. Of two writes the later one counts: only one agent writes it. */
export async function writeOffer(
  store: Pick<ObjectStore, 'create' | 'mergePatch'>,
  migration: Migration,
  offered: Offered,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '' } = migration.metadata;
  const key = { namespace, name: transferSecretName(migration) };
  const secret: Secret = {
    apiVersion: 'v1',
    kind: secretRef.kind,
    metadata: {
      ...key,
      labels: { [SOURCE_LABEL]: migration.status?.source ?? '' },
      ownerReferences: [ownerReferenceTo(migrationKind, migration)],
    },
    type: TRANSFER_SECRET_TYPE,
    data: { offer: encode(offered) },
  };
  try {
    await store.create<Secret>(secretRef, secret, signal);
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
    // The source cannot read it, only replace what is in it.
    await store.mergePatch<Secret>(secretRef, key, { body: { data: secret.data } }, signal);
  }
}

/** @returns undefined when there is none, or none that this agent understands */
export async function readOffer(
  store: Pick<ObjectStore, 'get'>,
  migration: Migration,
  signal: AbortSignal,
): Promise<Offered | undefined> {
  const { namespace = '' } = migration.metadata;
  const key = { namespace, name: transferSecretName(migration) };
  const secret = await store.get<Secret>(secretRef, key, signal);
  const isMeant =
    secret?.type === TRANSFER_SECRET_TYPE &&
    secret.metadata.labels?.[SOURCE_LABEL] === migration.status?.source;
  return isMeant ? decode(secret.data?.['offer']) : undefined;
}

function encode(offered: Offered): string {
  return Buffer.from(JSON.stringify(offered)).toString('base64');
}

function decode(text: string | undefined): Offered | undefined {
  try {
    const offered = JSON.parse(Buffer.from(text ?? '', 'base64').toString()) as Offered;
    return typeof offered.pass === 'number' && typeof offered.offer?.operation === 'string'
      ? offered
      : undefined;
  } catch {
    return undefined;
  }
}
