import type { TLSSocket } from 'node:tls';
import type { UserInfo } from './user.ts';

/** Who is at the other end of a connection, by the client certificate that TLS has verified against the cluster's CA. */
export interface Peer {
  user: UserInfo;
  /** The certificate is good until then (wall clock); connections live longer than that. */
  notAfterMs: number;
}

/** The part of a TLS connection that says who the client is. */
export type CertifiedConnection = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>;

/**
 * CN is the user, each O a group. Every user is in `system:authenticated` besides.
 * @returns undefined without a certificate, or when it is foreign, expired, or not meant for clients
 */
export function peerOf(connection: CertifiedConnection): Peer | undefined {
  if (!connection.authorized) return undefined;
  const certificate = connection.getPeerCertificate();
  const [name] = valuesOf(certificate.subject?.CN);
  if (name === undefined || name === '') return undefined;
  const notAfterMs = Date.parse(certificate.valid_to);
  const certificateSeconds = (notAfterMs - Date.parse(certificate.valid_from)) / 1_000;
  const groups = [...valuesOf(certificate.subject.O), 'system:authenticated'];
  return { user: { name, groups, certificateSeconds }, notAfterMs };
}

/** A name that stands once in the subject comes as a string, a repeated one as an array. */
function valuesOf(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
