import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parse } from 'yaml';
import { ensureClusterPki } from '../../../src/apiserver/pki/cluster-pki.ts';
import { pkiFolder } from '../../../src/apiserver/pki/folders.ts';
import { certificateCommand } from '../../../src/cmd/certificate.ts';
import { systemClock } from '../../../src/ports/clock.ts';

/** `hostler certificate`, from its arguments to the kubeconfig on standard output. */
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'hostler-certificate-'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await rm(dataDir, { recursive: true, force: true });
});

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { name: string; user: Record<string, string> }[];
}

async function issue(...args: string[]): Promise<{ kubeconfig: Kubeconfig; certificate: X509Certificate }> {
  let text = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk.toString();
    return true;
  });
  const server = ['--data-dir', dataDir, '--server', 'https://10.0.0.1:6443'];
  await certificateCommand().parseAsync([...args, ...server], { from: 'user' });
  const kubeconfig = parse(text) as Kubeconfig;
  const data = kubeconfig.users[0]?.user['client-certificate-data'] ?? '';
  return { kubeconfig, certificate: new X509Certificate(Buffer.from(data, 'base64')) };
}

describe('hostler certificate', () => {
  const makeCa = () => ensureClusterPki({ dir: pkiFolder(dataDir), serverNames: [], clock: systemClock });

  it('node: the identity of one agent', async () => {
    const { ca } = await makeCa();
    const { kubeconfig, certificate } = await issue('node', 'host-1');
    expect(certificate.subject).toBe('O=hostler:nodes\nCN=system:hostler:node:host-1');
    expect(certificate.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true);
    expect(kubeconfig.clusters[0]?.cluster.server).toBe('https://10.0.0.1:6443');
  });

  it('user: with groups, for so many days', async () => {
    await makeCa();
    const { certificate } = await issue('user', 'carol', '--group', 'dev', '--group', 'ops', '--days', '2');
    expect(certificate.subject).toBe('O=dev\nO=ops\nCN=carol');
    expect(certificate.validToDate.getTime() - Date.now()).toBeLessThan(2 * 86_400_000);
  });

  it('says what is missing before the API server has run', async () => {
    await expect(issue('node', 'host-1')).rejects.toThrow('There is no cluster CA at');
  });
});
