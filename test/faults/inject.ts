import { type ProcessIdentity, signalProcess } from '../../src/cmd/local/process.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { Part, TrialCluster } from './cluster.ts';
import type { Episode, Fault, FaultKind } from './schedule.ts';

/** What a fault did, and how it is taken back. */
interface Injected {
  /** For the log: `SIGSTOP agent of host-2 (pid 4711)`. */
  says: string;
  /** Idempotent. */
  undo(): Promise<void>;
}

const NOTHING = async (): Promise<void> => {};
const TABLE = 'hostler_faults';

/**
 * Lets everything of `episode` go wrong, and takes it back again, what cannot be taken back by itself through `hostler up`.
 * @param log one line for each thing that happens, with milliseconds since the begin
 */
export async function playEpisode(
  cluster: TrialCluster,
  episode: Episode,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const begunMs = clock.monotonicMs();
  const say = (text: string): void =>
    log(`  ${String(Math.round(clock.monotonicMs() - begunMs)).padStart(6)} ms  ${text}`);
  const play = async (fault: Fault): Promise<void> => {
    await sleep(clock, fault.atMs, signal);
    if (signal.aborted) return;
    const injected = await inject(cluster, fault);
    say(injected.says);
    try {
      await sleep(clock, fault.forMs, signal);
    } finally {
      await injected.undo();
      if (injected.undo !== NOTHING) say(`taken back: ${fault.what}${ofHost(fault)}`);
    }
  };
  const played = await Promise.allSettled(episode.faults.map(play));
  const failed = played.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function inject(cluster: TrialCluster, fault: Fault): Promise<Injected> {
  const { what, host } = fault;
  const [verb = '', object = ''] = what.split('-');
  if (verb === 'kill') return kill(cluster.find(object as Part, host), fault);
  if (verb === 'freeze') return freeze(cluster.find(object as Part, host), fault);
  const says = `${what}${ofHost(fault)}`;
  switch (what) {
    case 'cut-link':
    case 'cut-plane':
      await cluster.setLink(host, false);
      return { says, undo: () => cluster.setLink(host, true) };
    case 'drop-in':
    case 'drop-out':
    case 'lose-packets':
      return await filter(cluster, what, host ?? '');
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

/** One way, and what the other end has sent already is answered by nobody: the connections stay half-open. */
async function filter(cluster: TrialCluster, what: FaultKind, host: string): Promise<Injected> {
  const compartment = cluster.compartment(host);
  if (compartment === undefined) return { says: `${what} of ${host}: it does not run`, undo: NOTHING };
  const direction = what === 'drop-out' ? 'output' : 'input';
  const link = what === 'drop-out' ? 'oifname' : 'iifname';
  const some = what === 'lose-packets' ? ' numgen random mod 100 < 40' : '';
  const nft = (script: string): Promise<unknown> =>
    compartment.exec(['nft', '-f', '-'], { input: script, allowFailure: true });
  const table = `${TABLE}_${what.replace('-', '_')}`;
  await nft(
    `table inet ${table} {\n chain faults {\n type filter hook ${direction} priority -300;\n ${link} "eth0"${some} drop\n }\n}\n`,
  );
  return { says: `${what} of ${host}`, undo: async () => void (await nft(`delete table inet ${table}\n`)) };
}

const ofHost = ({ host }: Fault): string => (host === undefined ? '' : ` of ${host}`);
const ofProcess = (fault: Fault, { pid }: ProcessIdentity): string =>
  ` ${fault.what.split('-')[1]}${ofHost(fault)} (pid ${pid})`;
