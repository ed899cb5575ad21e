import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import { syncFolder, writeSynced } from '../ports/durable-file.ts';
import { HostlerError } from '../ports/errors.ts';
import type { OwnCertificate } from '../ports/own-certificate.ts';
import type { TlsSettings } from './connection.ts';
import { readKubeConfig } from './kube-config.ts';
import { draftLike } from './signing-request.ts';

/**
 * The client certificate of a kubeconfig and the ones that followed it. The last is kept in a file of its own, certificate
 * and key together, since the kubeconfig is somebody else's. It is used as long as it begins later than the one in the
 * kubeconfig: whoever puts a new one there is followed.
 */
export interface ClientCertificate extends OwnCertificate {
  /** What to connect with, by what the kubeconfig says. */
  over(tls: TlsSettings): Promise<TlsSettings>;
  /** Calls `run` whenever there is another one. */
  onChange(run: () => void): void;
}

export interface ClientCertificateOptions {
  /** Path of the kubeconfig. */
  kubeConfig: string;
  /** Path of the file for those that follow; its folder is for nobody else. */
  file: string;
  clock: Clock;
}

interface Pair {
  cert: Buffer;
  key: Buffer;
}

export function createClientCertificate({
  kubeConfig,
  file,
  clock,
}: ClientCertificateOptions): ClientCertificate {
  const listeners: (() => void)[] = [];

  const over = async (tls: TlsSettings): Promise<TlsSettings> => {
    if (tls.cert === undefined) return tls;
    const later = await readPair(file);
    return later !== undefined && follows(later, tls, clock.nowMs()) ? { ...tls, ...later } : tls;
  };
  const current = async (): Promise<TlsSettings> => over((await readKubeConfig(kubeConfig)).tls);

  return {
    over,
    onChange: (run) => void listeners.push(run),
    async facts() {
      const { cert } = await current();
      if (cert === undefined) return undefined;
      const certificate = new X509Certificate(cert);
      const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
      return { ...lifeOf(certificate), fingerprint };
    },
    async draft() {
      const { cert } = await current();
      if (cert === undefined) throw new HostlerError('Invalid', `${kubeConfig} holds no certificate`);
      return draftLike(cert.toString('utf8'));
    },
    async take({ keyPem }, certificatePem) {
      const pair = { cert: Buffer.from(certificatePem), key: Buffer.from(keyPem) };
      if (!follows(pair, await current(), clock.nowMs())) {
        throw new HostlerError(
          'Invalid',
          'The certificate that was issued is not the one that was asked for',
        );
      }
      await writePair(file, certificatePem, keyPem);
      for (const run of listeners) run();
    },
  };
}

/** Whether `later` may be used in place of what `tls` has: of the same cluster, for the same name, not older, not over. */
function follows(later: Pair, { ca, cert }: TlsSettings, nowMs: number): boolean {
  try {
    const [next, present] = [new X509Certificate(later.cert), new X509Certificate(cert as Buffer)];
    const { notBeforeMs, notAfterMs } = lifeOf(next);
    return (
      next.checkPrivateKey(createPrivateKey(later.key)) &&
      next.subject === present.subject &&
      (ca === undefined || next.verify(new X509Certificate(ca).publicKey)) &&
      notBeforeMs >= lifeOf(present).notBeforeMs &&
      notAfterMs > nowMs
    );
  } catch {
    // Damaged: the kubeconfig's is the one, then.
    return false;
  }
}

const lifeOf = (certificate: X509Certificate): { notBeforeMs: number; notAfterMs: number } => ({
  notBeforeMs: Date.parse(certificate.validFrom),
  notAfterMs: Date.parse(certificate.validTo),
});

/** OpenSSL finds in one text the certificate, and the key. */
async function readPair(path: string): Promise<Pair | undefined> {
  try {
    const both = await readFile(path);
    return { cert: both, key: both };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new HostlerError('Unavailable', `Cannot read ${path}`, { cause: error });
  }
}

/** Both or neither, also after a power cut. */
async function writePair(path: string, certificatePem: string, keyPem: string): Promise<void> {
  try {
    // One that was left there would keep its mode.
    await rm(`${path}.new`, { force: true });
    await writeSynced(`${path}.new`, `${certificatePem.trim()}\n${keyPem.trim()}\n`);
    await rename(`${path}.new`, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw new HostlerError('Unavailable', `Cannot write ${path}`, { cause });
  }
}
