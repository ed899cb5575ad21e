// @peculiar/x509 finds its parts through this at run time.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { CertificateDraft } from '../ports/own-certificate.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A new key on P-256, and a request for a certificate for it with the subject of `certificatePem`. */
export async function draftLike(certificatePem: string): Promise<CertificateDraft> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.X509Certificate(certificatePem).subjectName.toJSON(),
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    id: createHash('sha256').update(Buffer.from(request.publicKey.rawData)).digest('hex'),
    requestPem: `${request.toString('pem')}\n`,
    keyPem: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}
