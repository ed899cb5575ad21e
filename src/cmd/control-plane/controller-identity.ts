import { join } from 'node:path';
import { ADMIN_GROUP } from '../../apiserver/auth/user.ts';
import { readCertificate } from '../../apiserver/pki/certificates.ts';
import { issueClientCertificate, loadClusterAuthority } from '../../apiserver/pki/cluster-pki.ts';
import { writeKubeconfig } from '../../apiserver/pki/kubeconfig.ts';
import { pkiFolder } from '../../apiserver/pki/folders.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';

const USER = 'system:hostler:controller';
const RENEW_MS = 7 * 24 * 3_600_000;

export interface ControllerIdentity {
  /** Path of the kubeconfig. */
  kubeConfig: string;
  stop(): void;
}

/**
 * The controllers' own certificate, as a kubeconfig below the data folder: to the API server they are a client like any other.
 * It is issued at each start and once a week, and read again for each new connection.
 */
export async function issueControllerIdentity(
  { dataDir, server }: { dataDir: string; server: string },
  { clock, logger, metrics }: { clock: Clock; logger: Logger; metrics: Metrics },
): Promise<ControllerIdentity> {
  const kubeConfig = join(dataDir, 'controller.kubeconfig');
  const issue = async (): Promise<void> => {
    const ca = await loadClusterAuthority(pkiFolder(dataDir));
    const client = await issueClientCertificate({ ca, user: USER, groups: [ADMIN_GROUP], clock });
    const { notAfterMs } = readCertificate(client.certificatePem);
    metrics.set('hostler_certificate_expiry_seconds', notAfterMs / 1_000, { certificate: 'controller' });
    await writeKubeconfig(kubeConfig, { servers: [server], caPem: ca.certificatePem, client, user: USER });
  };
  await issue();
  let timer: Timer;
  const renew = (): void => {
    timer = clock.schedule(RENEW_MS, renew);
    issue().catch((error: unknown) =>
      logger.error({ error: messageOf(error) }, 'the certificate of the controllers could not be renewed'),
    );
  };
  timer = clock.schedule(RENEW_MS, renew);
  return { kubeConfig, stop: () => timer.cancel() };
}
