import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parse } from 'yaml';
import { ensureClusterPki } from '../../../src/apiserver/pki/cluster-pki.ts';
import { etcdPkiFolder, pkiFolder } from '../../../src/apiserver/pki/folders.ts';
import { certificateCommand } from '../../../src/cmd/certificate.ts';
import { run } from '../../../src/cmd/local/process.ts';
import { readKubeConfig } from '../../../src/kube/kube-config.ts';
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

/** What `hostler certificate` writes to standard output. */
async function write(...args: string[]): Promise<{ text: string }> {
  let text = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk.toString();
    return true;
  });
  await certificateCommand().parseAsync(args, { from: 'user' });
  return { text };
}

async function issue(...args: string[]): Promise<{ kubeconfig: Kubeconfig; certificate: X509Certificate }> {
  const { text } = await write(...args, '--data-dir', dataDir, '--server', 'https://10.0.0.1:6443');
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

  it('names all servers where there are several: the first for kubectl, all of them for agents', async () => {
    await makeCa();
    const servers = ['https://192.0.2.1:6443', 'https://192.0.2.2:6443'];
    const { text } = await write('node', 'host-1', '--data-dir', dataDir, '--server', servers.join(','));
    const path = join(dataDir, 'kubeconfig');
    await writeFile(path, text);
    expect((await readKubeConfig(path)).servers).toEqual(servers);
    // What is in an extension must not keep kubectl from reading the rest; nothing is connected to.
    const argv = ['--kubeconfig', path, 'config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'];
    expect((await run(['kubectl', ...argv])).stdout).toBe(servers[0]);
  });

  it('authorities: both, made once', async () => {
    const paths = [join(pkiFolder(dataDir), 'ca.crt'), join(etcdPkiFolder(dataDir), 'ca.crt')];
    const readAll = () => Promise.all(paths.map((path) => readFile(path, 'utf8')));
    await write('authorities', '--data-dir', dataDir);
    const made = await readAll();
    expect(new Set(made).size).toBe(2);
    await write('authorities', '--data-dir', dataDir);
    expect(await readAll()).toEqual(made);
  });

  it('says what is missing before the API server has run', async () => {
    await expect(issue('node', 'host-1')).rejects.toThrow('There is no cluster CA at');
  });
});
