import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { HostlerError } from '../ports/errors.ts';
import type { TlsSettings } from './connection.ts';

/** How to reach an API and who to be there, as the current context of a kubeconfig says. */
export interface ApiAccess {
  /** In the order in which they are tried; more than one where the extension of `hostler certificate` names them. */
  servers: readonly string[];
  tls: TlsSettings;
  /** `authorization`, if any. */
  headers: Record<string, string>;
}

/** What `hostler certificate --server a,b,c` writes, since a cluster of a kubeconfig has one server only. */
const SERVERS_EXTENSION = 'hostler.dev/servers';

interface NamedEntry {
  name: string;
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  context?: { cluster?: string; user?: string };
}

interface KubeConfigFile {
  'current-context'?: string;
  clusters?: NamedEntry[];
  users?: NamedEntry[];
  contexts?: NamedEntry[];
}

/**
 * Reads certificates and tokens by itself; only for users with plugins (`exec`, `auth-provider`) it loads
 * @kubernetes/client-node, whose import costs 85 MB of memory that an agent should not pay for.
 * @throws Invalid when the file is missing, malformed, or names what it does not hold
 */
export async function readKubeConfig(path: string): Promise<ApiAccess> {
  try {
    const file = parse(await readFile(path, 'utf8')) as KubeConfigFile;
    const { cluster, user } = currentOf(file);
    const needsPlugin = user['exec'] !== undefined || user['auth-provider'] !== undefined;
    return needsPlugin ? await readWithPlugins(path) : await readPlain(dirname(path), cluster, user);
  } catch (error) {
    throw new HostlerError('Invalid', `Cannot use the kubeconfig ${path}`, { cause: error });
  }
}

function currentOf(file: KubeConfigFile): {
  cluster: Record<string, unknown>;
  user: Record<string, unknown>;
} {
  const context = named(file.contexts, file['current-context'], 'context').context;
  const { cluster } = named(file.clusters, context?.cluster, 'cluster');
  const { user } = named(file.users, context?.user, 'user');
  return { cluster: cluster ?? {}, user: user ?? {} };
}

function named(entries: NamedEntry[] | undefined, name: string | undefined, what: string): NamedEntry {
  const entry = entries?.find((candidate) => candidate.name === name);
  if (!entry) throw new Error(`there is no ${what} ${JSON.stringify(name ?? '')}`);
  return entry;
}

async function readPlain(
  folder: string,
  cluster: Record<string, unknown>,
  user: Record<string, unknown>,
): Promise<ApiAccess> {
  const bytesOf = async (entry: Record<string, unknown>, name: string): Promise<Buffer | undefined> => {
    const data = entry[`${name}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    const path = entry[name];
    return typeof path === 'string' ? await readFile(resolve(folder, path)) : undefined;
  };
  const ca = await bytesOf(cluster, 'certificate-authority');
  const cert = await bytesOf(user, 'client-certificate');
  const key = await bytesOf(user, 'client-key');
  const servername = cluster['tls-server-name'];
  const authorization = await authorizationOf(folder, user);
  if (typeof cluster['server'] !== 'string') throw new Error('the cluster has no server');
  return {
    servers: serversOf(cluster['server'], cluster['extensions']),
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(typeof servername === 'string' ? { servername } : {}),
      ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
    },
    headers: authorization === undefined ? {} : { authorization },
  };
}

function serversOf(server: string, extensions: unknown): string[] {
  const entries = (Array.isArray(extensions) ? extensions : []) as {
    name?: string;
    extension?: { servers?: unknown };
  }[];
  const further = entries.find(({ name }) => name === SERVERS_EXTENSION)?.extension?.servers;
  if (further === undefined) return [server];
  const isList =
    Array.isArray(further) && further.every((one) => typeof one === 'string' && URL.canParse(one));
  if (!isList) throw new Error(`the extension ${SERVERS_EXTENSION} has no list of URLs`);
  return [...new Set([server, ...(further as string[])])];
}

async function authorizationOf(folder: string, user: Record<string, unknown>): Promise<string | undefined> {
  const { token, tokenFile, username, password } = user;
  if (typeof tokenFile === 'string') {
    return `Bearer ${(await readFile(resolve(folder, tokenFile), 'utf8')).trim()}`;
  }
  if (typeof token === 'string') return `Bearer ${token}`;
  if (typeof username !== 'string') return undefined;
  return `Basic ${Buffer.from(`${username}:${String(password)}`).toString('base64')}`;
}

async function readWithPlugins(path: string): Promise<ApiAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(path);
  const options: Record<string, unknown> & { headers?: Record<string, string> } = {};
  await config.applyToHTTPSOptions(options);
  const tls: Record<string, unknown> = {};
  for (const name of ['ca', 'cert', 'key', 'servername', 'rejectUnauthorized']) {
    if (options[name] !== undefined) tls[name] = options[name];
  }
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    servers: [config.getCurrentCluster()?.server ?? ''],
    tls,
    headers: Object.fromEntries(headers) as Record<string, string>,
  };
}
