// @peculiar/x509 finds its parts through this at run time.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import { createPublicKey } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** What a PKCS #10 request asks for, as far as certificates of clients go. */
export interface SigningRequest {
  commonName: string;
  organizations: string[];
  /** Why it cannot be signed, whoever asks; absent: it can. */
  fault?: string;
  publicKey: x509.PublicKey;
  /** Whether who asks has the key. */
  isOwnKey(): Promise<boolean>;
}

const PEM = /^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----[^-]+-----END (NEW )?CERTIFICATE REQUEST-----\s*$/;
const LEAST_RSA_BITS = 2048;

/** @param base64 of one PEM block. @throws Error when it is none */
export function readSigningRequest(base64: string): SigningRequest {
  const pem = Buffer.from(base64, 'base64').toString('utf8');
  if (!PEM.test(pem)) throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const request = new x509.Pkcs10CertificateRequest(pem.trim());
  const parts = request.subjectName.toJSON();
  const valuesOf = (type: string): string[] => parts.flatMap((part) => part[type] ?? []);
  const fault = faultOf(request);
  return {
    commonName: valuesOf('CN').join(','),
    organizations: valuesOf('O'),
    ...(fault === undefined ? {} : { fault }),
    publicKey: request.publicKey,
    isOwnKey: () => request.verify(),
  };
}

function faultOf(request: x509.Pkcs10CertificateRequest): string | undefined {
  const parts = request.subjectName.toJSON();
  const foreign = parts.flatMap((part) => Object.keys(part)).find((type) => type !== 'CN' && type !== 'O');
  if (foreign !== undefined) return `the subject may have CN and O only, not ${foreign}`;
  if (parts.filter((part) => part['CN'] !== undefined).length !== 1) return 'the subject must have one CN';
  const isNamed = request.extensions.some(({ type }) => type === ALTERNATIVE_NAMES);
  if (isNamed) return 'subject alternative names are not given to clients';
  return keyFault(request.publicKey);
}

const ALTERNATIVE_NAMES = '2.5.29.17';

function keyFault(publicKey: x509.PublicKey): string | undefined {
  const key = createPublicKey({ key: Buffer.from(publicKey.rawData), format: 'der', type: 'spki' });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === 'ec' || key.asymmetricKeyType === 'ed25519') return undefined;
  return key.asymmetricKeyType === 'rsa' && bits >= LEAST_RSA_BITS
    ? undefined
    : `keys must be EC, Ed25519, or RSA of at least ${LEAST_RSA_BITS} bits`;
}
