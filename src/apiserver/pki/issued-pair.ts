import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import {
  type CertificateAuthority,
  type CertificateRequest,
  createAuthority,
  isIssuedBy,
  issueCertificate,
  issueForKey,
  type KeyPair,
  readCertificate,
} from './certificates.ts';
import { PRIVATE_FILE_MODE, readIfPresent, writeFileAtomically } from './files.ts';

const DAY_MS = 86_400_000;

/**
 * The pair `dir/name.crt` and `dir/name.key`, kept while it is of use: issued again when the authority or the names have
 * changed, when a third or less is left of the life that is asked for, or when a crash left half of it. With `keepsKey` it gets
 * a new certificate for the same key, for those who read both files while they are replaced.
 */
export async function ensureIssuedPair(
  place: { dir: string; name: string; keepsKey?: boolean },
  ca: CertificateAuthority,
  request: CertificateRequest,
  clock: Clock,
): Promise<KeyPair> {
  const present = await readPair(place.dir, place.name);
  if (present !== undefined && isOfUse(present, ca, request, clock)) return present;
  const isKept = place.keepsKey === true && present !== undefined && isIssuedBy(present, ca);
  const issued = isKept
    ? await issueForKey(ca, request, present.keyPem, clock)
    : await issueCertificate(ca, request, clock);
  await writePair(place.dir, place.name, issued);
  return issued;
}

/** @throws Error when the authority's certificate is there and its key is not: to make another would lock everybody out */
export async function ensureAuthority(
  place: { dir: string; name: string },
  commonName: string,
  clock: Clock,
): Promise<CertificateAuthority> {
  const present = await readPair(place.dir, place.name);
  if (present !== undefined) return present;
  const created = await createAuthority(commonName, clock);
  await writePair(place.dir, place.name, created);
  return created;
}

/** @returns undefined when there is no certificate. @throws Error when only its key is missing, or they do not match */
export async function readPair(dir: string, name: string): Promise<KeyPair | undefined> {
  const certificatePath = join(dir, `${name}.crt`);
  const keyPath = join(dir, `${name}.key`);
  const [certificatePem, keyPem] = await Promise.all([
    readIfPresent(certificatePath),
    readIfPresent(keyPath),
  ]);
  if (certificatePem === undefined) return undefined;
  if (keyPem === undefined) {
    throw new Error(`${keyPath} is missing while ${certificatePath} is there: bring the key back`);
  }
  return { certificatePem, keyPem };
}

/** The key goes first: a certificate without its key is what readPair takes for damage. */
async function writePair(dir: string, name: string, pair: KeyPair): Promise<void> {
  await writeFileAtomically(join(dir, `${name}.key`), pair.keyPem, PRIVATE_FILE_MODE);
  await writeFileAtomically(join(dir, `${name}.crt`), pair.certificatePem);
}

function isOfUse(
  pair: KeyPair,
  ca: CertificateAuthority,
  request: CertificateRequest,
  clock: Clock,
): boolean {
  if (!isIssuedBy(pair, ca)) return false;
  const { notAfterMs, names } = readCertificate(pair.certificatePem);
  const wanted = (request.names ?? []).map((name) => name.toLowerCase()).sort();
  const nowMs = clock.nowMs();
  // None lasts longer than its authority.
  const mostMs = Math.min(request.validDays * DAY_MS, readCertificate(ca.certificatePem).notAfterMs - nowMs);
  return notAfterMs - nowMs > mostMs / 3 && names.join() === wanted.join();
}
