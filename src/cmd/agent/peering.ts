import type { Agent } from '../../agent/agent.ts';
import type { AgentConfig } from '../../config/agent.ts';
import type { ClientCertificate } from '../../kube/client-certificate.ts';
import { readKubeConfig } from '../../kube/kube-config.ts';
import type { PeerIdentity } from '../../peers/identity.ts';
import { createPeers } from '../../peers/witness-client.ts';
import { serveWitness, type WitnessServer } from '../../peers/witness-server.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Peers } from '../../ports/peers.ts';

/** What an agent needs to ask the other agents and to answer them. */
export interface Peering {
  options: { agentPort?: number };
  deps: { peers?: Peers };
  /** To be called before the agent runs. @throws Unavailable when the port cannot be had */
  serve(agent: Pick<Agent, 'cutOffForMs'>): Promise<WitnessServer | undefined>;
}

const NONE: Peering = { options: {}, deps: {}, serve: async () => undefined };

/** Nothing, and a word in the log about it, where the kubeconfig holds no certificate. */
export async function openPeering(
  { kubeConfig, peerListen }: Pick<AgentConfig, 'kubeConfig' | 'peerListen'>,
  certificate: Pick<ClientCertificate, 'over' | 'onChange'>,
  logger: Logger,
): Promise<Peering> {
  if (peerListen === undefined) return NONE;
  let identity = await identityOf(kubeConfig, certificate);
  let server: WitnessServer | undefined;
  if (identity === undefined) {
    logger.warn({}, 'the kubeconfig holds no certificate: other agents cannot be asked, nor ask this one');
    return NONE;
  }
  let current = identity;
  const follow = async (): Promise<void> => {
    identity = await identityOf(kubeConfig, certificate);
    if (identity === undefined) return;
    current = identity;
    server?.replace(current);
  };
  certificate.onChange(() => {
    follow().catch((error: unknown) =>
      logger.error({ error: messageOf(error) }, 'the other agents are not shown the new certificate'),
    );
  });
  return {
    options: { agentPort: peerListen.port },
    deps: { peers: createPeers(() => current) },
    async serve(agent) {
      server = await serveWitness(peerListen, current, {
        logger,
        cutOffForMs: () => agent.cutOffForMs(),
      });
      logger.info({ port: server.port }, 'answering the other agents');
      return server;
    },
  };
}

async function identityOf(
  kubeConfig: string,
  certificate: Pick<ClientCertificate, 'over'>,
): Promise<PeerIdentity | undefined> {
  const { ca, cert, key } = await certificate.over((await readKubeConfig(kubeConfig)).tls);
  return ca === undefined || cert === undefined || key === undefined ? undefined : { ca, cert, key };
}
