import { createRandom, type Random } from './random.ts';

/**
 * What goes wrong, and when. An episode is a few faults that overlap; at its end all of them are taken back, and the cluster
 * has to converge before the next one. The same seed and number give the same episode.
 */
export interface Episode {
  /** What replays it: `seed/number`, or a name. */
  name: string;
  faults: readonly Fault[];
  /**
   * The control plane as a whole is away: then no container may be stopped, but on hosts that have faults of their own those
   * that may be recovered. Needs `traffic: 'marks'`.
   */
  isOutage: boolean;
  /**
   * `marks`: writes that change nothing of what runs; `restarts`: nothing but restarts, so that every agent has something to
   * save all the time; `all`: restarts, stops, deletions and creations as well.
   */
  traffic: 'marks' | 'restarts' | 'all';
}

export interface Fault {
  /** After the episode's begin. */
  atMs: number;
  /** Until it is taken back; a process that was killed, and is not started again by its supervisor, stays dead until the end. */
  forMs: number;
  what: FaultKind;
  /** Absent: of the control plane. */
  host?: string;
  /** Of `slow-link`: how much later each byte arrives, in each direction. */
  delay?: { toServerMs: number; toClientMs: number };
  /** Of `set-clock-…`: how far the wall clock is set forward, or back. */
  offsetSeconds?: number;
}

export const HOST_FAULTS = [
  'kill-agent',
  'freeze-agent',
  'kill-guard',
  'freeze-guard',
  'kill-daemon',
  'freeze-daemon',
  'cut-link',
  'cut-api',
  'drop-in',
  'drop-out',
  'lose-packets',
  'slow-link',
  'fill-disk',
  'set-clock-agent',
  'set-clock-guard',
  'set-clock-host',
  'lose-host',
] as const;
export const PLANE_FAULTS = [
  'kill-server',
  'freeze-server',
  'kill-etcd',
  'freeze-etcd',
  'cut-plane',
  'drop-plane-in',
  'drop-plane-out',
  'set-clock-server',
] as const;
export type FaultKind = (typeof HOST_FAULTS)[number] | (typeof PLANE_FAULTS)[number];

export function isPlaneFault(what: FaultKind): boolean {
  return (PLANE_FAULTS as readonly string[]).includes(what);
}

/**
 * The guard of a host has to run within a part of fenceDelay after its deadline (docs/design/0003-fencing.md, "What is
 * assumed"), or somebody has to say that it does not. So a guard is never stopped or killed together with what would say so.
 */
const SILENCES: readonly FaultKind[] = [
  'kill-agent',
  'freeze-agent',
  'cut-link',
  'cut-api',
  'drop-in',
  'drop-out',
  'lose-packets',
  'slow-link',
  'set-clock-agent',
  'set-clock-host',
  ...PLANE_FAULTS,
];
const GUARD_FAULTS: readonly FaultKind[] = ['kill-guard', 'freeze-guard'];
const LONGEST_MS = 16_000;
const OFFSETS_SECONDS = [-3_600, -60, -3, 3, 60, 3_600];
const DELAYS_MS = [0, 50, 150, 400, 700, 1_200];

export function drawEpisode(seed: number, number: number, hosts: readonly string[]): Episode {
  const random = createRandom(seed * 1_000_003 + number);
  const faults: Fault[] = [];
  const isOutage = random.chance(0.15);
  const count = random.pick([1, 2, 2, 3]);
  while (faults.length < count) {
    const fault = drawFault(random, hosts, isOutage);
    if (faults.every((other) => canGoTogether(fault, other))) faults.push(fault);
  }
  const isPlane = faults.every(({ what }) => isPlaneFault(what));
  return { name: `${seed}/${number}`, faults, isOutage: isPlane, traffic: isPlane ? 'marks' : 'all' };
}

export const OUTAGES = ['api', 'etcd'] as const;
export type OutageOf = (typeof OUTAGES)[number];

/**
 * All API servers, or etcd, are away for the whole time. Halfway one host is cut off from the others as well, for a third of it:
 * alone it has no majority to ask, so it stops what may be recovered; the others run on.
 */
export function outageEpisode(of: OutageOf, forMs: number, hosts: readonly string[]): Episode {
  const away: Fault = { what: of === 'api' ? 'kill-server' : 'freeze-etcd', atMs: 0, forMs };
  const cut: Fault = { what: 'cut-link', host: hosts[0] ?? '', atMs: forMs / 2, forMs: forMs / 3 };
  return {
    name: `an outage of ${of}, and a host that is cut off in it`,
    faults: [away, cut],
    isOutage: true,
    traffic: 'marks',
  };
}

function drawFault(random: Random, hosts: readonly string[], isOutage: boolean): Fault {
  const isPlane = isOutage || random.chance(0.2);
  const what = random.pick<FaultKind>(isPlane ? PLANE_FAULTS : HOST_FAULTS);
  const times = { atMs: random.between(0, 4_000), forMs: random.between(200, LONGEST_MS) };
  const fault: Fault = isPlane ? { ...times, what } : { ...times, what, host: random.pick(hosts) };
  if (what.startsWith('set-clock')) return { ...fault, offsetSeconds: random.pick(OFFSETS_SECONDS) };
  if (what !== 'slow-link') return fault;
  return { ...fault, delay: { toServerMs: random.pick(DELAYS_MS), toClientMs: random.pick(DELAYS_MS) } };
}

function canGoTogether(one: Fault, other: Fault): boolean {
  if (one.what === other.what && one.host === other.host) return false;
  // A host that is gone has nothing else to lose; one that comes back cannot be told from it.
  if (one.host === other.host && [one.what, other.what].includes('lose-host')) return false;
  // A process has one wall clock.
  const isClock = ({ what }: Fault): boolean => what.startsWith('set-clock');
  if (isClock(one) && isClock(other) && one.host === other.host) return false;
  const isGuard = (fault: Fault): boolean => GUARD_FAULTS.includes(fault.what);
  const silences = (fault: Fault, host: string | undefined): boolean =>
    SILENCES.includes(fault.what) && (fault.host === undefined || fault.host === host);
  if (isGuard(one) && (silences(other, one.host) || (isGuard(other) && one.host === other.host)))
    return false;
  return !(isGuard(other) && silences(one, other.host));
}
