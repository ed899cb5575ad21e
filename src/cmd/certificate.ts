import { Command } from 'commander';
import { NODES_GROUP } from '../apiserver/auth/user.ts';
import {
  ensureClusterAuthority,
  issueClientCertificate,
  loadClusterAuthority,
  nodeIdentity,
} from '../apiserver/pki/cluster-pki.ts';
import { ensureEtcdAuthority } from '../apiserver/pki/etcd-pki.ts';
import { renderKubeconfig } from '../apiserver/pki/kubeconfig.ts';
import { etcdPkiFolder, pkiFolder } from '../apiserver/pki/folders.ts';
import { type CertificateFlags, checkNodeName, parseCertificateConfig } from '../config/apiserver.ts';
import { systemClock } from '../ports/clock.ts';

/** `hostler certificate`: a kubeconfig with a new client certificate, on standard output. It needs the cluster's CA key. */
export function certificateCommand(): Command {
  return new Command('certificate')
    .description('issue client certificates, as kubeconfigs on standard output')
    .addCommand(
      withOptions(new Command('node'))
        .description('for the agent of one node')
        .argument('<name>', 'the Node')
        .action((name: string, flags: CertificateFlags) => issue(nodeIdentity(checkNodeName(name)), flags)),
    )
    .addCommand(
      withOptions(new Command('user'))
        .description('for a person or a program')
        .argument('<name>', 'who they are')
        .option('--group <group>', 'a group of theirs; may be given several times', collect, [])
        .action((user: string, flags: CertificateFlags & { group: string[] }) =>
          issue({ user, groups: flags.group }, flags),
        ),
    )
    .addCommand(
      new Command('authorities')
        .description(
          'make what several servers share before their first start: the CAs of the cluster and of its etcd',
        )
        .requiredOption('--data-dir <folder>', 'of one server; pki/ in it is then copied to the others')
        .action(async ({ dataDir }: { dataDir: string }) => {
          await ensureClusterAuthority(pkiFolder(dataDir), systemClock);
          await ensureEtcdAuthority(etcdPkiFolder(dataDir), systemClock);
        }),
    );
}

const withOptions = (command: Command): Command =>
  command
    .requiredOption('--data-dir <folder>', "the API server's, which has the cluster's CA")
    .requiredOption(
      '--server <url>',
      'where the API is reached; with several servers, all of them: https://10.0.0.1:6443,…',
    )
    .option('--days <days>', 'how long the certificate is good', '365');

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

async function issue(identity: { user: string; groups: string[] }, flags: CertificateFlags): Promise<void> {
  const { dataDir, servers, validDays } = parseCertificateConfig(flags);
  const ca = await loadClusterAuthority(pkiFolder(dataDir));
  const isServerToo = identity.groups.includes(NODES_GROUP);
  const client = await issueClientCertificate({
    ca,
    ...identity,
    clock: systemClock,
    validDays,
    isServerToo,
  });
  const { user } = identity;
  process.stdout.write(renderKubeconfig({ servers, caPem: ca.certificatePem, client, user }));
}
