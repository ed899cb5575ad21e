/** The agents of the other nodes, asked in an outage of the control plane (plan/failover/witness). */
export interface Peers {
  /**
   * @returns for how many milliseconds the peer had been cut off when it answered, on its own clock; not positive: it is not
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
