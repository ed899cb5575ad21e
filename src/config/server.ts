import { type ApiServerConfig, type ApiServerFlags, parseApiServerConfig } from './apiserver.ts';
import { type EtcdAccess, type EtcdFlags, parseEtcdAccess } from './etcd.ts';

/** As commander hands them over. */
export interface ServerFlags extends ApiServerFlags, EtcdFlags {
  etcdBinary?: string;
}

export interface ServerConfig extends ApiServerConfig {
  etcd: { kind: 'embedded'; binary?: string } | ({ kind: 'external' } & EtcdAccess);
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
    return { kind: 'external', ...parseEtcdAccess(flags) };
  }
  if ((flags.etcdCa ?? flags.etcdCert ?? flags.etcdKey) !== undefined) {
    throw new Error(
      '--etcd-ca, --etcd-cert and --etcd-key are not for --etcd embedded, which makes its own certificates',
    );
  }
  return { kind: 'embedded', ...(flags.etcdBinary === undefined ? {} : { binary: flags.etcdBinary }) };
}
