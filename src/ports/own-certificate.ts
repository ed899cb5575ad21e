/**
 * The certificate by which this process is known to the API and to the other agents, and how it gets the next one. The key
 * is made here and leaves neither the process nor its disk.
 */
export interface OwnCertificate {
  /** Of the one that new connections are made with; undefined: no certificate says who this is. @throws Invalid */
  facts(): Promise<CertificateLife | undefined>;

  /** A new key, with the request for a certificate that says of it what the present one says of its own. */
  draft(): Promise<CertificateDraft>;

  /**
   * Puts the certificate for a draft in the place of the present one: on the disk, then for new connections.
   * @throws Invalid when it is not for that key or says something else; Unavailable when the disk does not take it
   */
  take(draft: CertificateDraft, certificatePem: string): Promise<void>;
}

export interface CertificateLife {
  /** Wall-clock milliseconds since 1970. */
  notBeforeMs: number;
  notAfterMs: number;
  /** Hexadecimal, another for each certificate. */
  fingerprint: string;
}

export interface CertificateDraft {
  /** Hexadecimal, another for each key. */
  id: string;
  /** PKCS #10. */
  requestPem: string;
  keyPem: string;
}
