/** How to reach an etcd cluster that somebody else runs. */
export interface EtcdAccess {
  endpoints: string[];
  /** Absent where the endpoints are `http://`. */
  tls?: EtcdTlsPaths;
}

/** Paths of PEM files. */
export interface EtcdTlsPaths {
  caFile: string;
  certFile?: string;
  keyFile?: string;
}

/** As commander hands them over. */
export interface EtcdFlags {
  etcd: string;
  etcdCa?: string;
  etcdCert?: string;
  etcdKey?: string;
}

/** @throws Error that names the option which is wrong */
export function parseEtcdAccess({ etcd, etcdCa, etcdCert, etcdKey }: EtcdFlags): EtcdAccess {
  const endpoints = etcd
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(endpointOf);
  if (endpoints.length === 0)
    throw new Error('--etcd: name at least one endpoint, such as https://10.0.0.1:2379');
  if (new Set(endpoints.map(({ protocol }) => protocol)).size > 1) {
    throw new Error(`--etcd ${etcd}: the endpoints of one cluster are all https or all http`);
  }
  const origins = endpoints.map(({ origin }) => origin);
  if (endpoints[0]?.protocol === 'http:') {
    if ((etcdCa ?? etcdCert ?? etcdKey) !== undefined) {
      throw new Error('--etcd-ca, --etcd-cert and --etcd-key are for https endpoints');
    }
    return { endpoints: origins };
  }
  if (etcdCa === undefined)
    throw new Error('--etcd-ca is missing: the CA certificate of the https endpoints');
  if ((etcdCert === undefined) !== (etcdKey === undefined)) {
    throw new Error('--etcd-cert and --etcd-key are given together or not at all');
  }
  return {
    endpoints: origins,
    tls: {
      caFile: etcdCa,
      ...(etcdCert === undefined ? {} : { certFile: etcdCert }),
      ...(etcdKey === undefined ? {} : { keyFile: etcdKey }),
    },
  };
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/') {
    throw new Error(`--etcd: ${JSON.stringify(text)} is no endpoint such as https://10.0.0.1:2379`);
  }
  return url;
}
