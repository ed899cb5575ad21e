import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import type { CertificateDraft } from '../ports/own-certificate.ts';

/**
 * PKCS #10 (RFC 2986) in so many bytes: a library for it costs an agent 22 MB of memory for a request a year, and could not
 * be loaded at that time any more if the program on the disk was replaced meanwhile.
 */
const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const VERSION_0 = Buffer.from('020100', 'hex');
const NO_ATTRIBUTES = Buffer.from('a000', 'hex');
/** The explicit version of a certificate, which those of version 1 do not have. */
const VERSION_TAG = 0xa0;
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');

/** A new key on P-256, and a request for a certificate for it with the subject of `certificatePem`. */
export function draftLike(certificatePem: string): CertificateDraft {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ type: 'spki', format: 'der' });
  const subject = subjectOf(new X509Certificate(certificatePem).raw);
  const info = encode(SEQUENCE, VERSION_0, subject, key, NO_ATTRIBUTES);
  const signature = encode(BIT_STRING, Buffer.from([0]), sign('sha256', info, privateKey));
  const request = encode(SEQUENCE, info, encode(SEQUENCE, ECDSA_WITH_SHA256), signature);
  return {
    id: createHash('sha256').update(key).digest('hex'),
    requestPem: pemOf('CERTIFICATE REQUEST', request),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** After version, serial number, algorithm, issuer and validity (RFC 5280, 4.1), as it stands there. */
function subjectOf(certificate: Buffer): Buffer {
  let [first, ...rest] = partsOf(contentOf(contentOf(certificate)));
  if (first?.[0] === VERSION_TAG) [first, ...rest] = rest;
  const subject = rest[3];
  if (first === undefined || subject === undefined) throw new Error('The certificate has no subject');
  return subject;
}

/** The elements that lie one behind the other in `bytes`. */
function partsOf(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const { begin, length } = headOf(bytes.subarray(at));
    parts.push(bytes.subarray(at, at + begin + length));
    at += begin + length;
  }
  return parts;
}

function contentOf(element: Buffer): Buffer {
  const { begin, length } = headOf(element);
  return element.subarray(begin, begin + length);
}

/** Where the content of an element begins, and how long it is. OpenSSL has read the whole before. */
function headOf(element: Buffer): { begin: number; length: number } {
  const short = element.readUInt8(1);
  if (short < 0x80) return { begin: 2, length: short };
  const size = short - 0x80;
  return { begin: 2 + size, length: element.readUIntBE(2, size) };
}

function encode(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = Math.ceil(length.toString(16).length / 2);
  const head = Buffer.alloc(2 + size);
  head.writeUInt8(tag, 0);
  head.writeUInt8(0x80 + size, 1);
  head.writeUIntBE(length, 2, size);
  return Buffer.concat([head, content]);
}

function pemOf(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
