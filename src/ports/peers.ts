/** The agents of the other nodes, asked in an outage of the control plane (plan/failover/witness). */
export interface Peers {
  /**
   * @returns how long ago the peer sent its last renewal, in milliseconds on its own clock, when it answered
   * @throws Unavailable, Timeout, Forbidden (it is not that node)
   */
  ask(peer: Peer, signal: AbortSignal): Promise<number>;
  close(): void;
}

export interface Peer {
  node: string;
  address: string;
  port: number;
}
