// @peculiar/x509 finds its parts through this at run time.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import {
  randomBytes,
  webcrypto,
  X509Certificate as NodeCertificate,
  createPrivateKey,
  createPublicKey,
} from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Clock } from '../../ports/clock.ts';

/**
 * X.509 certificates on EC P-256, the curve that every TLS stack has. What is issued here passes
 * `openssl verify -x509_strict`; times come from the clock that is passed in.
 */

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  certificatePem: string;
  keyPem: string;
}

export type CertificateAuthority = KeyPair;

export interface CertificateRequest {
  commonName: string;
  organizations?: readonly string[];
  /** DNS names and IP addresses. */
  names?: readonly string[];
  usages: readonly ('server' | 'client')[];
  validDays: number;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const BACKDATE_MS = 300_000;

/** A self-signed certificate authority, valid for ten years. */
export async function createAuthority(commonName: string, clock: Clock): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    notBefore: new Date(beginOf(clock)),
    notAfter: new Date(beginOf(clock) + BACKDATE_MS + CA_DAYS * DAY_MS),
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), keyPem: await exportKey(keys.privateKey) };
}

/** A new key with a certificate of `ca`. @throws Error when a name of the request cannot stand in a certificate */
export async function issueCertificate(
  ca: CertificateAuthority,
  request: CertificateRequest,
  clock: Clock,
): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificatePem = await certify(ca, keys.publicKey, termsOf(request, clock));
  return { certificatePem, keyPem: await exportKey(keys.privateKey) };
}

/** Likewise, for a key that is there: in the moment between two writes it fits both certificates. */
export async function issueForKey(
  ca: CertificateAuthority,
  request: CertificateRequest,
  keyPem: string,
  clock: Clock,
): Promise<KeyPair> {
  const der = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const certificatePem = await certify(ca, new x509.PublicKey(der), termsOf(request, clock));
  return { certificatePem, keyPem };
}

function termsOf(request: CertificateRequest, clock: Clock): CertificateTerms {
  const notBeforeMs = beginOf(clock);
  const notAfterMs = notBeforeMs + BACKDATE_MS + request.validDays * DAY_MS;
  return { ...request, notBeforeMs, notAfterMs };
}

/** What a certificate is to say. It ends with its authority at the latest. */
export interface CertificateTerms extends Omit<CertificateRequest, 'validDays'> {
  notBeforeMs: number;
  notAfterMs: number;
}

/** When a certificate begins that is issued now: a little in the past, for hosts whose clocks are behind. */
export const beginOf = (clock: Clock): number => Math.floor(clock.nowMs() / 1000) * 1000 - BACKDATE_MS;

/** The certificate of `ca`, as PEM, for a key that is somebody's own. @throws Error as issueCertificate */
export async function certify(
  ca: CertificateAuthority,
  publicKey: x509.PublicKey | webcrypto.CryptoKey,
  terms: CertificateTerms,
): Promise<string> {
  const issuer = new x509.X509Certificate(ca.certificatePem);
  const usage = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
  const certificate = await x509.X509CertificateGenerator.create({
    notBefore: new Date(terms.notBeforeMs),
    notAfter: new Date(Math.min(terms.notAfterMs, issuer.notAfter.getTime())),
    serialNumber: serialNumber(),
    subject: subjectOf(terms),
    issuer: issuer.subjectName.toJSON(),
    publicKey,
    signingKey: await importKey(ca.keyPem),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(terms.usages.map((name) => usage[name])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...alternativeNames(terms.names ?? []),
    ],
  });
  return pem(certificate);
}

/** What a certificate on disk says, as far as re-issuing it depends on it. */
export interface CertificateFacts {
  notBeforeMs: number;
  notAfterMs: number;
  /** DNS names and IP addresses, lower-case, sorted. */
  names: string[];
}

export function readCertificate(certificatePem: string): CertificateFacts {
  const certificate = new x509.X509Certificate(certificatePem);
  const alternative = certificate.getExtension(x509.SubjectAlternativeNameExtension);
  const names =
    alternative === null ? [] : alternative.names.toJSON().map(({ value }) => value.toLowerCase());
  return {
    notBeforeMs: certificate.notBefore.getTime(),
    notAfterMs: certificate.notAfter.getTime(),
    names: names.sort(),
  };
}

/** Whether key and certificate belong together and `ca` signed the certificate. False for anything that cannot be read. */
export function isIssuedBy(pair: KeyPair, ca: Pick<KeyPair, 'certificatePem'>): boolean {
  try {
    const certificate = new NodeCertificate(pair.certificatePem);
    const authority = new NodeCertificate(ca.certificatePem);
    return (
      certificate.checkPrivateKey(createPrivateKey(pair.keyPem)) && certificate.verify(authority.publicKey)
    );
  } catch {
    return false;
  }
}

function subjectOf(request: Pick<CertificateRequest, 'commonName' | 'organizations'>): x509.JsonName {
  const values = [request.commonName, ...(request.organizations ?? [])];
  for (const value of values) {
    if (value === '' || value.startsWith('#') || !/^\P{Cc}+$/u.test(value)) {
      throw new Error(`A certificate cannot be issued to ${JSON.stringify(value)}: not a usable name`);
    }
  }
  const organizations = (request.organizations ?? []).map((name) => ({ O: [name] }));
  return [...organizations, { CN: [request.commonName] }];
}

function alternativeNames(names: readonly string[]): x509.Extension[] {
  if (names.length === 0) return [];
  return [
    new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
    ),
  ];
}

/** Positive, and 19 bytes at most, as RFC 5280 asks. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

function importKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}
