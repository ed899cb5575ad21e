/** Who a request comes from: the client certificate's subject (CN and O), as in Kubernetes. */
export interface UserInfo {
  name: string;
  groups: readonly string[];
  /** The life of their certificate, from its begin to its end; absent for the server's own calls. */
  certificateSeconds?: number;
}

/** May do everything. */
export const ADMIN_GROUP = 'system:masters';
/** Agents: `system:hostler:node:<name>` in this group. */
export const NODES_GROUP = 'hostler:nodes';
export const NODE_USER_PREFIX = 'system:hostler:node:';
