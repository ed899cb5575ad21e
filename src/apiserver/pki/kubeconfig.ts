import { stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';
import { PRIVATE_FILE_MODE, writeFileAtomically } from './files.ts';

export interface KubeconfigContent {
  /** `https://127.0.0.1:6443`. Further ones stand in an extension, which kubectl leaves alone and Hostler's agents read. */
  servers: readonly [string, ...string[]];
  caPem: string;
  client: KeyPair;
  user: string;
  /** @defaultValue `hostler` */
  cluster?: string;
}

/** The name of the extension, and what it holds: all servers, the first one included. */
const SERVERS_EXTENSION = 'hostler.dev/servers';

function extensionsOf(servers: readonly string[]): object {
  if (servers.length < 2) return {};
  return { extensions: [{ name: SERVERS_EXTENSION, extension: { servers } }] };
}

/** A kubeconfig with everything embedded, so that it can be copied to another machine as it is. */
export function renderKubeconfig({
  servers,
  caPem,
  client,
  user,
  cluster = 'hostler',
}: KubeconfigContent): string {
  const [server] = servers;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: cluster,
          cluster: { server, 'certificate-authority-data': base64(caPem), ...extensionsOf(servers) },
        },
      ],
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
