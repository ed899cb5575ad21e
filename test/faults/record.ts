import type { Container } from '../../src/crds/container.ts';
import type { Lease } from '../../src/crds/lease.ts';
import type { KubeObject } from '../../src/crds/object.ts';
import type { Fault } from './schedule.ts';

/** Everything that a run leaves for the validators. All times but `wallMs` are of the machine's monotonic clock. */
export interface RunRecord {
  /** By name of the container, in the order in which the lines were written. */
  beats: ReadonlyMap<string, readonly Beat[]>;
  calls: readonly Call[];
  /** Each of them is a watch of everything through the API, from the same moment on. */
  watches: readonly WatchLog[];
  /**
   * Every write since the store was new, in its order, from etcd itself: what is true, whatever a watch of the API shows or
   * leaves out while servers come and go. Its times are those at which it was seen here.
   */
  history: readonly Seen[];
  /** In the order in which they began. */
  faults: readonly Played[];
}

/** A fault as it was really played. */
export interface Played extends Pick<Fault, 'what' | 'host'> {
  fromMs: number;
  /** Absent: it was not taken back yet. */
  toMs?: number;
}

export interface Beat {
  /** `?`: not known yet; a later line of the same start says it. */
  host: string;
  /** Another one after each start. */
  boot: string;
  count: number;
  /** Monotonic; in steps of 10 ms. */
  atMs: number;
}

export interface Call {
  container: string;
  verb: 'create' | 'patch' | 'delete';
  /** What was written into the object, higher each time; absent for `delete`. */
  counter?: number;
  begunMs: number;
  endedMs: number;
  /** `refused`: the server said no, and nothing was done. `unknown`: no reply, or none that says. */
  outcome: 'done' | 'refused' | 'unknown';
  error?: string;
  /** Of the reply. */
  uid?: string;
  revision?: number;
}

export type Seen = {
  atMs: number;
  wallMs: number;
  revision: number;
  key: string;
  /** Found by a list after a gap: what was between is not known. */
  isListed?: true;
} & (
  | { kind: 'Container'; type: EventType; object: Container }
  | { kind: 'Lease'; type: EventType; object: Lease }
  | { kind: 'Node' | 'StoragePool'; type: EventType; object: KubeObject }
  /** Of a kind that no rule is about; only in the history. */
  | { kind: 'Other'; type: EventType; object: KubeObject }
);
export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchLog {
  /** Of all kinds, as they arrived: in order within each kind. What was there at the begin comes first, as ADDED. */
  events: Seen[];
  gaps: Gap[];
}

/** A server that was started anew does not know the past: it answers 410 to who goes on from there, and a list closes the gap. */
export interface Gap {
  kind: string;
  /** Everything up to it was seen. */
  from: number;
  /** And everything after it. */
  to: number;
}
