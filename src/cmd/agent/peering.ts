import type { Agent } from '../../agent/agent.ts';
import type { AgentConfig } from '../../config/agent.ts';
import { readKubeConfig } from '../../kube/kube-config.ts';
import type { PeerIdentity } from '../../peers/identity.ts';
import { createPeers } from '../../peers/witness-client.ts';
import { serveWitness, type WitnessServer } from '../../peers/witness-server.ts';
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
  logger: Logger,
): Promise<Peering> {
  if (peerListen === undefined) return NONE;
  const identity = await identityOf(kubeConfig);
  if (identity === undefined) {
    logger.warn({}, 'the kubeconfig holds no certificate: other agents cannot be asked, nor ask this one');
    return NONE;
  }
  return {
    options: { agentPort: peerListen.port },
    deps: { peers: createPeers(identity) },
    async serve(agent) {
      const server = await serveWitness(peerListen, identity, {
        logger,
        cutOffForMs: () => agent.cutOffForMs(),
      });
      logger.info({ port: server.port }, 'answering the other agents');
      return server;
    },
  };
}

async function identityOf(kubeConfig: string): Promise<PeerIdentity | undefined> {
  const { ca, cert, key } = (await readKubeConfig(kubeConfig)).tls;
  return ca === undefined || cert === undefined || key === undefined ? undefined : { ca, cert, key };
}
