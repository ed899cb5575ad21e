import { stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';
import { PRIVATE_FILE_MODE, writeFileAtomically } from './files.ts';

export interface KubeconfigContent {
  /** `https://127.0.0.1:6443` */
  server: string;
  caPem: string;
  client: KeyPair;
  user: string;
  /** @defaultValue `hostler` */
  cluster?: string;
}

/** A kubeconfig with everything embedded, so that it can be copied to another machine as it is. */
export function renderKubeconfig({
  server,
  caPem,
  client,
  user,
  cluster = 'hostler',
}: KubeconfigContent): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(caPem) } }],
      users: [
        {
          name: user,
          user: {
            'client-certificate-data': base64(client.certificatePem),
            'client-key-data': base64(client.keyPem),
          },
        },
      ],
      contexts: [{ name: `${user}@${cluster}`, context: { cluster, user, namespace: 'default' } }],
      'current-context': `${user}@${cluster}`,
    },
    { lineWidth: 0 },
  );
}

/** Writes it atomically, readable by its owner alone: it holds a private key. */
export function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  return writeFileAtomically(path, renderKubeconfig(content), PRIVATE_FILE_MODE);
}
