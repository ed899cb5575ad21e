import { type ProcessIdentity, signalProcess } from '../../src/cmd/local/process.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { Part, TrialCluster } from './cluster.ts';
import { emptyDisk, fillDisk } from './disk.ts';
import { type Injected, NOTHING, ofHost, ofProcess } from './injected.ts';
import { dropPackets, slowLink } from './network-faults.ts';
import type { Played } from './record.ts';
import type { Episode, Fault } from './schedule.ts';
import { CLOCK_ROLES, type ClockRole, resetClock, setClock } from './wall-clock.ts';

/**
 * Lets everything of `episode` go wrong, and takes it back again, what cannot be taken back by itself through `hostler up`.
 * @param log one line for each thing that happens, with milliseconds since the begin
 * @param played gets an entry for each fault, when it begins
 */
export async function playEpisode(
  cluster: TrialCluster,
  episode: Episode,
  { log, played }: { log: (line: string) => void; played: Played[] },
  signal: AbortSignal,
): Promise<void> {
  const begunMs = clock.monotonicMs();
  const say = (text: string): void =>
    log(`  ${String(Math.round(clock.monotonicMs() - begunMs)).padStart(6)} ms  ${text}`);
  const play = async (fault: Fault): Promise<void> => {
    await sleep(clock, fault.atMs, signal);
    if (signal.aborted) return;
    const { what, host } = fault;
    const injected = await inject(cluster, fault);
    const entry: Played = { what, fromMs: clock.monotonicMs(), ...(host === undefined ? {} : { host }) };
    played.push(entry);
    say(injected.says);
    try {
      await sleep(clock, fault.forMs, signal);
    } finally {
      entry.toMs = clock.monotonicMs();
      await injected.undo();
      if (injected.undo !== NOTHING) say(`taken back: ${fault.what}${ofHost(fault)}`);
    }
  };
  const ends = await Promise.allSettled(episode.faults.map(play));
  const failed = ends.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function inject(cluster: TrialCluster, fault: Fault): Promise<Injected> {
  const { what, host } = fault;
  const [verb = '', object = ''] = what.split('-');
  if (verb === 'kill') return kill(cluster.find(object as Part, host), fault);
  if (verb === 'freeze') return freeze(cluster.find(object as Part, host), fault);
  if (verb === 'set') return set(cluster, fault);
  const says = `${what}${ofHost(fault)}`;
  switch (what) {
    case 'cut-link':
    case 'cut-plane':
      await cluster.setLink(host, false);
      return { says, undo: () => cluster.setLink(host, true) };
    case 'cut-api':
    case 'drop-in':
    case 'drop-out':
    case 'drop-plane-in':
    case 'drop-plane-out':
    case 'lose-packets':
      return await dropPackets(cluster, fault);
    case 'slow-link':
      return await slowLink(cluster, fault);
    case 'fill-disk':
      return fill(cluster, fault);
    case 'lose-host':
      await cluster.loseHost(host ?? '');
      return { says, undo: NOTHING };
    default:
      throw new Error(`No such fault: ${what}`);
  }
}

function kill(identity: ProcessIdentity | undefined, fault: Fault): Injected {
  const was = identity !== undefined && signalProcess(identity, 'SIGKILL');
  return {
    says: was ? `SIGKILL${ofProcess(fault, identity)}` : `${fault.what}${ofHost(fault)}: it did not run`,
    undo: NOTHING,
  };
}

function freeze(identity: ProcessIdentity | undefined, fault: Fault): Injected {
  if (identity === undefined || !signalProcess(identity, 'SIGSTOP'))
    return { says: `${fault.what}${ofHost(fault)}: it did not run`, undo: NOTHING };
  return {
    says: `SIGSTOP${ofProcess(fault, identity)}`,
    undo: async () => void signalProcess(identity, 'SIGCONT'),
  };
}

function fill({ stateDir }: TrialCluster, fault: Fault): Injected {
  const { host = '' } = fault;
  const bytes = fillDisk(stateDir, host);
  return {
    says: `fill-disk${ofHost(fault)}, with ${bytes} bytes`,
    undo: async () => emptyDisk(stateDir, host),
  };
}

/** Of one process, or of all that share a host's clock; libfaketime needs up to a second to notice. */
function set(cluster: TrialCluster, fault: Fault): Injected {
  const { what, host, offsetSeconds = 0 } = fault;
  const compartment = cluster.compartment(host);
  if (compartment === undefined) return { says: `${what}${ofHost(fault)}: it does not run`, undo: NOTHING };
  const role = what.slice('set-clock-'.length);
  const roles = role === 'host' ? CLOCK_ROLES : [role as ClockRole];
  for (const one of roles) setClock(compartment, one, offsetSeconds);
  return {
    says: `${what}${ofHost(fault)} by ${offsetSeconds} s`,
    undo: async () => roles.forEach((one) => resetClock(compartment, one)),
  };
}
