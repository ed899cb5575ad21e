import { type ApiServerConfig, type ApiServerFlags, parseApiServerConfig } from './apiserver.ts';
import { type EtcdAccess, type EtcdFlags, parseEtcdAccess } from './etcd.ts';

/** As commander hands them over. */
export interface ServerFlags extends ApiServerFlags, EtcdFlags {
  etcdBinary?: string;
  /** `cp-1=https://10.0.0.1:2380,…` */
  etcdMembers?: string;
  etcdName?: string;
  etcdJoin?: boolean;
}

/** An embedded etcd that is one of several. */
export interface EtcdMembership {
  name: string;
  members: { name: string; url: string }[];
  joins: boolean;
}

export interface ServerConfig extends ApiServerConfig {
  etcd: { kind: 'embedded'; binary?: string; member?: EtcdMembership } | ({ kind: 'external' } & EtcdAccess);
}

/** @throws Error that names the option which is wrong */
export function parseServerConfig(flags: ServerFlags): ServerConfig {
  const config = parseApiServerConfig(flags);
  if (!config.listen.some((address) => 'host' in address)) {
    throw new Error(
      '--listen: name at least one address with a port, such as 127.0.0.1:6443; the controllers use it',
    );
  }
  return { ...config, etcd: etcdOf(flags) };
}

function etcdOf(flags: ServerFlags): ServerConfig['etcd'] {
  if (flags.etcd !== 'embedded') {
    if (flags.etcdBinary !== undefined) throw new Error('--etcd-binary is for --etcd embedded');
    if ((flags.etcdMembers ?? flags.etcdName ?? flags.etcdJoin) !== undefined) {
      throw new Error('--etcd-members, --etcd-name and --etcd-join are for --etcd embedded');
    }
    return { kind: 'external', ...parseEtcdAccess(flags) };
  }
  if ((flags.etcdCa ?? flags.etcdCert ?? flags.etcdKey) !== undefined) {
    throw new Error(
      '--etcd-ca, --etcd-cert and --etcd-key are not for --etcd embedded, which makes its own certificates',
    );
  }
  return {
    kind: 'embedded',
    ...(flags.etcdBinary === undefined ? {} : { binary: flags.etcdBinary }),
    ...memberOf(flags),
  };
}

/** More members make writes slower and bear no more losses than the next smaller odd number. */
const MEMBER_COUNTS = [3, 5, 7];

function memberOf({ etcdMembers, etcdName, etcdJoin }: ServerFlags): { member?: EtcdMembership } {
  if (etcdMembers === undefined) {
    if ((etcdName ?? etcdJoin) === undefined) return {};
    throw new Error('--etcd-name and --etcd-join are for --etcd-members');
  }
  const members = etcdMembers.split(',').map(memberFrom);
  if (!MEMBER_COUNTS.includes(members.length)) {
    throw new Error(`--etcd-members: name 3, 5 or 7 of them, not ${members.length}`);
  }
  for (const what of ['name', 'url'] as const) {
    if (new Set(members.map((member) => member[what])).size < members.length) {
      throw new Error(`--etcd-members ${etcdMembers}: two have the same ${what}`);
    }
  }
  if (etcdName === undefined || !members.some(({ name }) => name === etcdName)) {
    throw new Error(
      `--etcd-name: say which of --etcd-members this is: ${members.map(({ name }) => name).join(', ')}`,
    );
  }
  return { member: { name: etcdName, members, joins: etcdJoin === true } };
}

function memberFrom(text: string): EtcdMembership['members'][number] {
  const [, name = '', address = ''] = /^\s*([A-Za-z0-9][-A-Za-z0-9.]*)=(\S+?)\s*$/.exec(text) ?? [];
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (name !== '' && url?.protocol === 'https:' && url.port !== '' && url.pathname === '/') {
    return { name, url: url.origin };
  }
  throw new Error(`--etcd-members: ${JSON.stringify(text)} is no member such as cp-1=https://10.0.0.1:2380`);
}
