import { Command } from 'commander';
import { NODES_GROUP } from '../apiserver/auth/user.ts';
import { issueClientCertificate, loadClusterAuthority, nodeIdentity } from '../apiserver/pki/cluster-pki.ts';
import { renderKubeconfig } from '../apiserver/pki/kubeconfig.ts';
import { pkiFolder } from '../apiserver/pki/folders.ts';
import { type CertificateFlags, checkNodeName, parseCertificateConfig } from '../config/apiserver.ts';
import { systemClock } from '../ports/clock.ts';

/** `hostler certificate`: a kubeconfig with a new client certificate, on standard output. It needs the cluster's CA key. */
export function certificateCommand(): Command {
  return new Command('certificate')
    .description('issue a client certificate, as a kubeconfig on standard output')
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
    );
}

const withOptions = (command: Command): Command =>
  command
    .requiredOption('--data-dir <folder>', "the API server's, which has the cluster's CA")
    .requiredOption('--server <url>', 'where the API server is reached: https://10.0.0.1:6443')
    .option('--days <days>', 'how long the certificate is good', '365');

const collect = (value: string, earlier: string[]): string[] => [...earlier, value];

async function issue(identity: { user: string; groups: string[] }, flags: CertificateFlags): Promise<void> {
  const { dataDir, server, validDays } = parseCertificateConfig(flags);
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
  process.stdout.write(renderKubeconfig({ server, caPem: ca.certificatePem, client, user }));
}
