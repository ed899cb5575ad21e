import { readFile } from 'node:fs/promises';
import type { EtcdAccess } from '../../config/etcd.ts';
import type { EtcdOptions } from '../../etcd/client.ts';

/** @throws Error when a file cannot be read */
export async function readEtcdOptions({ endpoints, tls }: EtcdAccess): Promise<Omit<EtcdOptions, 'logger'>> {
  if (tls === undefined) return { endpoints };
  const { caFile, certFile, keyFile } = tls;
  return {
    endpoints,
    tls: {
      ca: await readFile(caFile),
      ...(certFile === undefined ? {} : { cert: await readFile(certFile) }),
      ...(keyFile === undefined ? {} : { key: await readFile(keyFile) }),
    },
  };
}
