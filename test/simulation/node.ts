import type { Endpoint } from './network.ts';
import type { TimingName } from './schedule.ts';

/** A host with its agent and guard, and what may be done to them. */
export interface NodeActor {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** What a peer asks, on this node's clock. */
  answerPeer(reply: (cutOffForMs: number) => void): void;
  isOff(): boolean;
  powerOff(): void;
  powerOn(): void;
  sleep(): void;
  wake(): void;
  kill(): void;
  /** After `kill` or `handOver`. */
  restart(): void;
  /** The clean end of the agent. */
  handOver(): void;
  setWallForward(): void;
  /** People want another timing. */
  want(timing: TimingName): void;
}
