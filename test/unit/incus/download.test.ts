import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
// @peculiar/x509 does not load without it.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withDownload } from '../../../src/incus/download.ts';

const BYTES = Buffer.from('an image');
const FINGERPRINT = createHash('sha256').update(BYTES).digest('hex');
const never = new AbortController().signal;

describe('withDownload', () => {
  let server: Server;
  let ca: Buffer;
  let origin: string;

  beforeAll(async () => {
    const { cert, key } = await selfSigned();
    ca = cert;
    server = createServer({ cert, key }, (request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/image' }).end();
      else if (request.url === '/image') response.end(BYTES);
      else if (request.url !== '/slow') response.writeHead(request.url === '/broken' ? 503 : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
  });

  it.each(['/image', '/moved'])('brings %s into a file that is gone afterwards', async (path) => {
    let where = '';
    const image = { url: `${origin}${path}`, fingerprint: FINGERPRINT, ca };
    const found = await withDownload(image, never, async (file) => {
      where = file;
      return readFile(file, 'utf8');
    });
    expect(found).toBe('an image');
    await expect(readFile(where)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['is another one', '/image', '0'.repeat(64), 'Invalid'],
    ['is not there', '/gone', FINGERPRINT, 'NotFound'],
    ['is behind a broken server', '/broken', FINGERPRINT, 'Unavailable'],
  ])('refuses what %s', async (_case, path, fingerprint, code) => {
    const image = { url: `${origin}${path}`, fingerprint, ca };
    await expect(withDownload(image, never, async () => 'used')).rejects.toMatchObject({ code });
  });

  it('trusts no server that nobody vouches for', async () => {
    const image = { url: `${origin}/image`, fingerprint: FINGERPRINT };
    await expect(withDownload(image, never, async () => 'used')).rejects.toMatchObject({
      code: 'Unavailable',
    });
  });

  it('can be given up', async () => {
    const abort = new AbortController();
    server.once('request', () => abort.abort());
    const image = { url: `${origin}/slow`, fingerprint: FINGERPRINT, ca };
    const download = withDownload(image, abort.signal, async () => 'used');
    await expect(download).rejects.toMatchObject({ code: 'Aborted' });
  });
});

async function selfSigned(): Promise<{ cert: Buffer; key: Buffer }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=images',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    cert: Buffer.from(certificate.toString('pem')),
    key: Buffer.from(x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')),
  };
}
