import { readFile } from 'node:fs/promises';
import { delimiter, dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
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
  context?: { cluster?: string; user?: string; namespace?: string };
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
 * @param path of a kubeconfig, or of several, as `KUBECONFIG` lists them: of two entries of a name the first counts
 * @param context in place of the file's current one
 * @throws Invalid when the file is missing, malformed, or names what it does not hold
 */
export async function readKubeConfig(path: string, context?: string): Promise<ApiAccess> {
  return await using(path, async () => {
    const file = await load(path, context);
    const { cluster, user } = currentOf(file);
    const needsPlugin = user['exec'] !== undefined || user['auth-provider'] !== undefined;
    return needsPlugin ? await readWithPlugins(file) : await readPlain(cluster, user);
  });
}

/** The namespace that the context names; undefined: none. @throws Invalid likewise */
export async function readNamespace(path: string, context?: string): Promise<string | undefined> {
  return await using(path, async () => {
    const file = await load(path, context);
    return named(file.contexts, file['current-context'], 'context').context?.namespace;
  });
}

async function using<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new HostlerError('Invalid', `Cannot use the kubeconfig ${path}`, { cause: error });
  }
}

/** All of the files as one, as if it lay in the root folder. */
async function load(path: string, context: string | undefined): Promise<KubeConfigFile> {
  const paths = path.split(delimiter).filter((one) => one !== '');
  const files: KubeConfigFile[] = [];
  for (const one of paths) {
    const text = await readFile(one, 'utf8').catch((error: NodeJS.ErrnoException) => {
      // As kubectl does: in a list, what is not there is left out.
      if (error.code === 'ENOENT' && paths.length > 1) return undefined;
      throw error;
    });
    if (text !== undefined) files.push(withPaths((parse(text) ?? {}) as KubeConfigFile, dirname(one)));
  }
  const current = context ?? files.map((file) => file['current-context']).find((one) => one);
  return {
    ...(current === undefined ? {} : { 'current-context': current }),
    clusters: files.flatMap(({ clusters }) => clusters ?? []),
    users: files.flatMap(({ users }) => users ?? []),
    contexts: files.flatMap(({ contexts }) => contexts ?? []),
  };
}

const PATHS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/** What it names lies beside it. */
function withPaths(file: KubeConfigFile, folder: string): KubeConfigFile {
  const absolute = (entry: Record<string, unknown> | undefined): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(entry ?? {}).map(([name, value]) => [
        name,
        PATHS.includes(name) && typeof value === 'string' ? resolve(folder, value) : value,
      ]),
    );
  return {
    ...file,
    clusters: (file.clusters ?? []).map((one) => ({ ...one, cluster: absolute(one.cluster) })),
    users: (file.users ?? []).map((one) => ({ ...one, user: absolute(one.user) })),
  };
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
  cluster: Record<string, unknown>,
  user: Record<string, unknown>,
): Promise<ApiAccess> {
  const bytesOf = async (entry: Record<string, unknown>, name: string): Promise<Buffer | undefined> => {
    const data = entry[`${name}-data`];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    const path = entry[name];
    return typeof path === 'string' ? await readFile(path) : undefined;
  };
  const ca = await bytesOf(cluster, 'certificate-authority');
  const cert = await bytesOf(user, 'client-certificate');
  const key = await bytesOf(user, 'client-key');
  const servername = cluster['tls-server-name'];
  const authorization = await authorizationOf(user);
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

async function authorizationOf(user: Record<string, unknown>): Promise<string | undefined> {
  const { token, tokenFile, username, password } = user;
  if (typeof tokenFile === 'string') {
    return `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
  }
  if (typeof token === 'string') return `Bearer ${token}`;
  if (typeof username !== 'string') return undefined;
  return `Basic ${Buffer.from(`${username}:${String(password)}`).toString('base64')}`;
}

async function readWithPlugins(file: KubeConfigFile): Promise<ApiAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromString(stringify(file));
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
