import { type EtcdAccess, type EtcdFlags, parseEtcdAccess } from './etcd.ts';

/** As commander hands them over. */
export interface ApiServerFlags {
  dataDir: string;
  /** `127.0.0.1:6443`, `[::1]:6443`, `unix:/run/hostler.sock`; several, with commas between them. */
  listen: string;
  /** Further names of the server's certificate, with commas between them. */
  serverName?: string;
  /** What the admin's kubeconfig points to. */
  advertiseUrl?: string;
}

export interface ApiServerConfig {
  dataDir: string;
  listen: ({ host: string; port: number } | { path: string })[];
  serverNames: string[];
  advertiseUrl?: string;
}

/** @throws Error that names the option which is wrong */
export function parseApiServerConfig(flags: ApiServerFlags): ApiServerConfig {
  const listen = partsOf(flags.listen).map(listenAddress);
  if (listen.length === 0) throw new Error('--listen: name at least one address, such as 127.0.0.1:6443');
  return {
    dataDir: flags.dataDir,
    listen,
    serverNames: partsOf(flags.serverName ?? '').map(serverName),
    ...(flags.advertiseUrl === undefined ? {} : { advertiseUrl: advertised(flags.advertiseUrl) }),
  };
}

/** For `hostler apiserver`, which has no etcd of its own. @throws Error that names the option which is wrong */
export function parseStandaloneConfig(
  flags: ApiServerFlags & EtcdFlags,
): ApiServerConfig & { etcd: EtcdAccess } {
  return { ...parseApiServerConfig(flags), etcd: parseEtcdAccess(flags) };
}

export interface CertificateFlags {
  dataDir: string;
  server: string;
  days: string;
}

export interface CertificateConfig {
  dataDir: string;
  /** Origins of the API servers, in the order in which they are tried. */
  servers: [string, ...string[]];
  validDays: number;
}

const MAX_DAYS = 3650;

/** @throws Error that names the option which is wrong */
export function parseCertificateConfig({ dataDir, server, days }: CertificateFlags): CertificateConfig {
  const [first, ...others] = partsOf(server).map(originOf);
  if (first === undefined) throw new Error('--server: name at least one, such as https://10.0.0.1:6443');
  const validDays = /^\d+$/.test(days) ? Number(days) : 0;
  if (validDays < 1 || validDays > MAX_DAYS) {
    throw new Error(`--days: ${JSON.stringify(days)} is no number from 1 to ${MAX_DAYS}`);
  }
  return { dataDir, servers: [first, ...others], validDays };
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:') return url.origin;
  throw new Error(`--server: ${JSON.stringify(text)} is no URL such as https://10.0.0.1:6443`);
}

/** @throws Error when a Node cannot have this name */
export function checkNodeName(name: string): string {
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return name;
  throw new Error(
    `${JSON.stringify(name)} is no name for a node: up to 63 lower-case letters, digits and dashes`,
  );
}

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function listenAddress(text: string): ApiServerConfig['listen'][number] {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw new Error(`--listen ${text}: the path of a socket is absolute`);
    return { path };
  }
  const [, host = '', digits = ''] = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host === '' || port > 65_535) {
    throw new Error(
      `--listen: ${JSON.stringify(text)} is no address such as 127.0.0.1:6443 or unix:/run/api.sock`,
    );
  }
  return { host: host.replaceAll(/[[\]]/g, ''), port };
}

function serverName(text: string): string {
  if (/^[0-9a-fA-F:.]+$/.test(text) || /^(\*\.)?[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$/.test(text))
    return text;
  throw new Error(`--server-name: ${JSON.stringify(text)} is neither a DNS name nor an IP address`);
}

function advertised(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:') return url.origin;
  throw new Error(`--advertise-url: ${JSON.stringify(text)} is no URL such as https://10.0.0.1:6443`);
}
