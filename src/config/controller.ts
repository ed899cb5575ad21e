import { type EtcdAccess, type EtcdFlags, parseEtcdAccess } from './etcd.ts';

/** As commander hands them over. */
export interface ControllerFlags extends EtcdFlags {
  kubeconfig: string;
  server?: string;
  listen?: string;
  logLevel?: string;
}

export interface ControllerConfig {
  kubeConfig: string;
  /** Base URLs of API servers; empty for the kubeconfig's own. */
  servers: string[];
  /** Where the leader is elected. */
  etcd: EtcdAccess;
  /** For /metrics and probes; absent: nowhere. */
  listen?: string;
}

/** @throws Error that names the option which is wrong */
export function parseControllerConfig(flags: ControllerFlags): ControllerConfig {
  const servers = (flags.server ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const wrong = servers.find((server) => !/^https?:\/\//.test(server) || !URL.canParse(server));
  if (wrong !== undefined)
    throw new Error(`--server: ${JSON.stringify(wrong)} is no URL such as https://10.0.0.1:6443`);
  return {
    kubeConfig: flags.kubeconfig,
    servers,
    etcd: parseEtcdAccess(flags),
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
  };
}
