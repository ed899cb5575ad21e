import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestApiServer } from './api-server.ts';
import { type HostlerProcess, startHostler } from './hostler-process.ts';

export const CONTROLLER = 'system:hostler:controller';

/** `hostler controller` over `api` and its etcd; one of several leads, and says so on standard error. */
export async function startController(
  api: Pick<TestApiServer, 'dataDir' | 'etcd' | 'kubeconfigFor'>,
): Promise<HostlerProcess> {
  const kubeconfig = join(api.dataDir, 'controller.kubeconfig');
  await writeFile(kubeconfig, await api.kubeconfigFor(CONTROLLER, ['system:masters']));
  const flags = ['--kubeconfig', kubeconfig, '--etcd', api.etcd.endpoint, '--listen', '0'];
  return startHostler(['controller', ...flags]);
}
