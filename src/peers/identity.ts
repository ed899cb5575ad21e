/** Who an agent is to the others: its client certificate for the API, which serves as a server's among agents too. All PEM. */
export interface PeerIdentity {
  ca: Buffer;
  cert: Buffer;
  key: Buffer;
}

/** As the API server knows nodes, in the subjects of their certificates. */
export const NODES_GROUP = 'hostler:nodes';
export const NODE_USER_PREFIX = 'system:hostler:node:';
export const WITNESS_PATH = '/witness';
