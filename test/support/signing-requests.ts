import {
  issueCertificate,
  type CertificateAuthority,
  type KeyPair,
} from '../../src/apiserver/pki/certificates.ts';
import {
  type CertificateSigningRequest,
  certificateSigningRequestRef,
  NODE_SIGNER,
  NODE_USAGES,
} from '../../src/crds/certificate-signing-request.ts';
import { draftLike } from '../../src/kube/signing-request.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { CertificateDraft } from '../../src/ports/own-certificate.ts';

export interface Subject {
  user: string;
  groups?: readonly string[];
}

/** A key, and a request for a certificate for `subject`. */
export async function draftFor(
  ca: CertificateAuthority,
  subject: Subject,
  clock: Clock,
): Promise<CertificateDraft> {
  const { certificatePem } = await certificateOf(ca, subject, clock);
  return draftLike(certificatePem);
}

export function certificateOf(
  ca: CertificateAuthority,
  { user, groups = [] }: Subject,
  clock: Clock,
  validDays = 1,
): Promise<KeyPair> {
  const usages = ['client', 'server'] as const;
  return issueCertificate(ca, { commonName: user, organizations: groups, usages, validDays }, clock);
}

export function signingRequest(
  name: string,
  draft: CertificateDraft,
  spec: Partial<CertificateSigningRequest['spec']> = {},
): CertificateSigningRequest {
  const { group, version, kind } = certificateSigningRequestRef;
  return {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { name },
    spec: {
      request: Buffer.from(draft.requestPem).toString('base64'),
      signerName: NODE_SIGNER,
      usages: [...NODE_USAGES],
      ...spec,
    },
  };
}
