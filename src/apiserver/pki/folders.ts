import { join } from 'node:path';

/** Where the certificates of the cluster are, for everything that issues more of them. */
export const pkiFolder = (dataDir: string): string => join(dataDir, 'pki');

export const adminKubeconfigPath = (dataDir: string): string => join(dataDir, 'admin.kubeconfig');

/** Where those of an etcd are that a server runs itself. */
export const etcdPkiFolder = (dataDir: string): string => join(pkiFolder(dataDir), 'etcd');
