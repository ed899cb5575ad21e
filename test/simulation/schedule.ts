import { defaultTiming, type FailoverTiming, timingFrom } from '../../src/plan/failover/timing.ts';

/** What the watches of the API show. */
export type Stream = 'leases' | 'containers' | 'nodes' | 'members';
export const STREAMS: readonly Stream[] = ['leases', 'containers', 'nodes', 'members'];

/** One thing that goes wrong, from `from` to `until` (milliseconds of true time). */
export type Fault = { from: number; until: number } & (
  | { kind: 'cut'; who: string; direction: 'both' | 'out' | 'in' }
  | { kind: 'cutPeers'; who: string }
  | { kind: 'storeDown' }
  /** Messages are late (also after their time-out), lost or doubled. */
  | { kind: 'slow' }
  /** What `who` sends to the store is on its way until then. */
  | { kind: 'hold'; who: string }
  /** What a watch tells `who` about `stream` is held back. */
  | { kind: 'lag'; who: string; stream: Stream }
  /** A watch that falls behind more and more. */
  | { kind: 'trail'; who: string; stream: Stream }
  /** SIGSTOP and SIGCONT of an agent or a leader. */
  | { kind: 'pause'; who: string }
  /** SIGKILL of an agent or a leader; started again at `until`. */
  | { kind: 'kill'; who: string }
  /** The clean end of an agent, which hands over to the next one; that starts at `until`. */
  | { kind: 'upgrade'; who: string }
  /** From `from` on people want another timing of the node. */
  | { kind: 'retime'; who: string; timing: TimingName }
  /** Power off: the containers end with it. `wordAt`: when an operator says so. */
  | { kind: 'hostDown'; who: string; wordAt?: number }
  /** The whole host sleeps, and wakes with all that it ran: its monotonic clock stood still, its wall clock did not. */
  | { kind: 'suspend'; who: string }
  /** The wall clock is set forward by an hour, at `from`. */
  | { kind: 'wallForward'; who: string }
  /** A host that was not there before, at `from`. */
  | { kind: 'join'; who: string }
  /** The host is off for good from `from` on; an operator says so at `wordAt`, and deletes its Node once that is safe. */
  | { kind: 'leave'; who: string; wordAt: number }
);

export interface NodePlan {
  timing: TimingName;
  /** Whether its Node has `spec.fencing`. */
  hasDevice: boolean;
}

export interface Schedule {
  seed: number;
  /** Those that are there from the start come first; the others join. */
  plans: NodePlan[];
  /** How many are there from the start. */
  nodes: number;
  containers: number;
  leaders: number;
  faults: Fault[];
  /** When the last fault has ended. */
  calmMs: number;
  /** When every promise has to hold, at the latest. */
  endMs: number;
  /** Nothing may stop or move. */
  isOutage: boolean;
}

/** Timings that nodes of one cluster may have side by side. */
export const timings = {
  default: defaultTiming,
  brisk: timingFrom({ renewMs: 500, durationMs: 2_500, fenceDelayMs: 1_500 }),
  calm: timingFrom({ renewMs: 1_400, durationMs: 7_000, fenceDelayMs: 4_000 }),
} satisfies Record<string, FailoverTiming>;
export type TimingName = keyof typeof timings;

export const nodeName = (index: number): string => `node-${index}`;
export const leaderName = (index: number): string => `leader-${index}`;
