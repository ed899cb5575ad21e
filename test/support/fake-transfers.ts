import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { InstanceSpec } from '../../src/ports/host-driver.ts';
import {
  type InstanceTransfers,
  LIVE_STORAGE_DRIVERS,
  type LiveObstacle,
  type PullRequest,
  type TransferEnd,
  type TransferProgress,
} from '../../src/ports/host-transfer.ts';
import { unavailable } from './fake-host-events.ts';
import type { FakeHost, FakeInstance } from './fake-host.ts';
import { notOurs } from './fake-shared-roots.ts';

/** Moves between hosts in memory. */

/** Hosts by the address of their daemon: those that share one reach each other. */
export type FakeNetwork = Map<string, FakeHost>;

/** An offer at its source. */
export interface FakeOffer {
  name: string;
  live: boolean;
  secret: string;
  state: 'waiting' | 'reading' | 'ended';
  end?: TransferEnd;
}

/** What a copy is, while it is incoming. */
export interface FakeIncoming {
  migration: string;
  /** Whether a pass of it was completed. */
  isWhole: boolean;
  /** Its restore has failed, and the daemon does not let go of it. */
  isDead?: boolean;
}

type TransferMethod = keyof InstanceTransfers;
type Call = <T>(
  method: TransferMethod,
  what: string,
  signal: AbortSignal,
  run: () => T,
) => Promise<Awaited<T>>;

interface Inside {
  clock: Clock;
  call: Call;
  checkSpec(spec: InstanceSpec): void;
  start(name: string, instance: FakeInstance): void;
  emit(type: 'created' | 'updated' | 'deleted', name: string): void;
  host(): FakeHost;
}

/** How often a running pass looks whether it was cut short. */
const STEPS = 4;

export function fakeTransfers(inside: Inside): InstanceTransfers {
  const { clock, call } = inside;
  const copyOf = (name: string): FakeInstance => {
    const copy = inside.host().instances.get(name);
    if (copy === undefined) throw new HostlerError('NotFound', `there is no instance ${name} on the host`);
    return copy;
  };

  return {
    getTransferFacts: (signal) => call('getTransferFacts', '', signal, () => inside.host().transferFacts),

    offerTransfer: ({ name, uid }, { live, isToGoLive = false }, signal) =>
      call('offerTransfer', name, signal, () => {
        const host = inside.host();
        checkOffer(host, { name, uid, live });
        const operation = `/1.0/operations/${randomUUID()}`;
        const secret = randomUUID();
        for (const earlier of host.offers.values()) {
          if (earlier.name === name) endOffer(earlier, { kind: 'Failed', message: 'there is a newer offer' });
        }
        host.offers.set(operation, { name, live, secret, state: 'waiting' });
        const carried = { 'volatile.eth0.hwaddr': `hwaddr of ${name}` };
        const obstacle = isToGoLive ? obstacleOf(host, name, copyOf(name)) : undefined;
        return {
          ...(obstacle === undefined
            ? {}
            : { liveObstacle: { reason: obstacle.reason, message: obstacle.message } }),
          operation,
          secrets: { control: secret },
          architecture: host.facts.architecture,
          carried,
          totalBytes: rootBytes(copyOf(name)),
        };
      }),

    awaitTransfer: (operation, signal) =>
      call('awaitTransfer', operation, signal, async () => {
        for (;;) {
          const offer = inside.host().offers.get(operation);
          if (offer === undefined) return { kind: 'Unknown' };
          if (offer.end !== undefined) return offer.end;
          if (!(await sleep(clock, 10, signal))) throw new HostlerError('Aborted', 'the call was given up');
        }
      }),

    cancelTransfer: (operation, signal) =>
      call('cancelTransfer', operation, signal, () => {
        const offer = inside.host().offers.get(operation);
        if (offer !== undefined) endOffer(offer, { kind: 'Failed', message: 'cancelled' });
      }),

    pullTransfer: async (request, onProgress, signal) => {
      const host = inside.host();
      // The first look is a call as any other; what follows takes the time that the pass takes.
      return call('pullTransfer', request.spec.name, signal, async () => {
        const startMs = clock.monotonicMs();
        const here = host.instances.get(request.spec.name);
        checkTaken(here, request);
        // A live pass whose answer was lost.
        if (here?.incoming !== undefined && here.status === 'Running') return { bytes: 0, tookMs: 0 };
        inside.checkSpec(request.spec);
        if (request.offer.architecture !== host.facts.architecture) {
          throw new HostlerError('Invalid', `Architecture isn't supported: ${request.offer.architecture}`);
        }
        const source = takeOffer(host, request);
        const copy = here ?? newCopy(request, new Date(clock.nowMs()).toISOString());
        if (here === undefined) {
          host.instances.set(request.spec.name, copy);
          inside.emit('created', request.spec.name);
        }
        const bytes = await runPass({ clock, host, source, onProgress }, signal);
        finishPass(inside, { request, copy, source });
        if (copy.incoming?.isDead === true) {
          throw new HostlerError('Internal', 'the processes could not be restored');
        }
        return { bytes, tookMs: clock.monotonicMs() - startMs };
      });
    },

    acceptTransfer: (spec, migration, signal) =>
      call('acceptTransfer', spec.name, signal, () => {
        const copy = copyOf(spec.name);
        if (copy.spec.mark?.uid !== spec.mark.uid) throw notOurs(`instance ${spec.name}`);
        if (copy.incoming !== undefined) requireIncoming(spec.name, copy, migration);
        if (copy.incoming?.isWhole === false)
          throw conflict(`no pass of instance ${spec.name} was completed`);
        delete copy.incoming;
        copy.spec = { ...spec, imageFingerprint: copy.spec.imageFingerprint };
        inside.emit('updated', spec.name);
      }),

    dropTransfer: (name, migration, signal) =>
      call('dropTransfer', name, signal, () => {
        const copy = inside.host().instances.get(name);
        if (copy === undefined) return;
        requireIncoming(name, copy, migration);
        if (copy.incoming?.isDead === true) {
          throw new HostlerError('Conflict', `instance ${name} is stuck`, { details: { isDead: true } });
        }
        if (copy.status !== 'Stopped') throw conflict(`instance ${name} is running`);
        inside.emit('deleted', name);
        inside.host().instances.delete(name);
      }),
  };
}

/** An incoming copy is left alone by all other calls. */
export function refuseIncoming(name: string, instance: FakeInstance): void {
  if (instance.incoming === undefined) return;
  throw conflict(`instance ${name} is the incoming copy of migration ${instance.incoming.migration}`);
}

/** The daemon was started anew. */
export function releaseDead(instances: ReadonlyMap<string, FakeInstance>): void {
  for (const instance of instances.values()) {
    if (instance.incoming?.isDead !== true) continue;
    delete instance.incoming.isDead;
    instance.status = 'Stopped';
  }
}

interface Source {
  host: FakeHost;
  offer: FakeOffer;
}

function checkOffer(host: FakeHost, { name, uid, live }: { name: string; uid: string; live: boolean }): void {
  const instance = host.instances.get(name);
  if (instance === undefined) throw new HostlerError('NotFound', `there is no instance ${name} on the host`);
  if (instance.spec.mark?.uid !== uid) throw notOurs(`instance ${name}`);
  refuseIncoming(name, instance);
  if (host.transferFacts.address === undefined) {
    throw new HostlerError('Invalid', 'the daemon does not listen on the network');
  }
  const obstacle = live ? obstacleOf(host, name, instance) : undefined;
  if (obstacle !== undefined) throw new HostlerError(obstacle.code, obstacle.message);
}

function obstacleOf(
  host: FakeHost,
  name: string,
  instance: FakeInstance,
): (LiveObstacle & { code: 'Conflict' | 'Invalid' }) | undefined {
  const { live: fact } = host.transferFacts;
  if (!fact.possible) return { code: 'Invalid', reason: fact.reason, message: fact.message };
  if (instance.status !== 'Running') {
    return { code: 'Conflict', reason: 'NotRunning', message: `instance ${name} does not run` };
  }
  if ((instance.spec.volumes ?? []).length > 0) {
    return { code: 'Invalid', reason: 'Volumes', message: `instance ${name} has volumes` };
  }
  const driver = host.pools.get(instance.spec.rootPool)?.spec.driver ?? '';
  if (!LIVE_STORAGE_DRIVERS.includes(driver)) {
    const message = `a live move needs a root on ${LIVE_STORAGE_DRIVERS.join(' or ')}`;
    return { code: 'Invalid', reason: 'StorageDriver', message };
  }
  if (instance.spec.movesLive === true) return undefined;
  const message = `instance ${name} was started without what a live move needs`;
  return { code: 'Conflict', reason: 'NeedsRestart', message };
}

function checkTaken(here: FakeInstance | undefined, { spec, migration }: PullRequest): void {
  if (here === undefined) return;
  if (here.incoming?.migration === migration && here.spec.mark?.uid === spec.mark.uid) return;
  throw new HostlerError('AlreadyExists', `there is another instance ${spec.name} on the host`);
}

function takeOffer(host: FakeHost, { from, offer: { operation, secrets }, live }: PullRequest): Source {
  const source = host.network.get(from.address);
  if (source === undefined || source.isDown()) throw unavailable(`${from.address} cannot be reached`);
  if (source.transferFacts.certificate !== from.certificate) {
    throw unavailable(`${from.address} has another certificate`);
  }
  const offer = source.offers.get(operation);
  if (offer?.state !== 'waiting' || offer.secret !== secrets['control'] || offer.live !== live) {
    throw new HostlerError('NotFound', `there is no offer ${operation} at ${from.address}`);
  }
  offer.state = 'reading';
  return { host: source, offer };
}

function newCopy({ spec, migration }: PullRequest, createdAt: string): FakeInstance {
  return {
    spec,
    status: 'Stopped',
    createdAt,
    startedWith: {},
    files: {},
    incoming: { migration, isWhole: false },
  };
}

/** @returns what went over the wire */
async function runPass(
  {
    clock,
    host,
    source: { host: sourceHost, offer },
    onProgress,
  }: { clock: Clock; host: FakeHost; source: Source; onProgress: (progress: TransferProgress) => void },
  signal: AbortSignal,
): Promise<number> {
  const total = rootBytes(sourceHost.instances.get(offer.name));
  const fail = (error: HostlerError): never => {
    endOffer(offer, { kind: 'Failed', message: error.message });
    throw error;
  };
  for (let step = 1; step <= STEPS; step += 1) {
    const took = host.passMs / STEPS;
    if (signal.aborted || (took > 0 && !(await sleep(clock, took, signal)))) {
      fail(new HostlerError('Aborted', 'the call was given up'));
    }
    if (sourceHost.isDown() || offer.state === 'ended') fail(unavailable('the source has gone away'));
    if (host.isDown()) fail(unavailable('the daemon does not answer'));
    const bytes = Math.ceil((total * step) / STEPS);
    onProgress({ bytes, bytesPerSecond: host.passMs > 0 ? Math.round(total / (host.passMs / 1000)) : 0 });
  }
  return total;
}

function finishPass(
  inside: Inside,
  {
    request: { spec, live },
    copy,
    source: { host, offer },
  }: {
    request: PullRequest;
    copy: FakeInstance;
    source: Source;
  },
): void {
  const original = host.instances.get(offer.name);
  if (original === undefined) throw unavailable('the source is gone');
  copy.files = { ...original.files };
  if (copy.incoming !== undefined) copy.incoming.isWhole = true;
  if (live) host.stopByHand(offer.name);
  if (live && inside.host().restoresFail) {
    copy.status = 'Busy';
    if (copy.incoming !== undefined) copy.incoming.isDead = true;
  } else if (live) {
    inside.start(spec.name, copy);
  }
  endOffer(offer, { kind: 'Succeeded' });
}

function requireIncoming(name: string, { incoming }: FakeInstance, migration: string): void {
  if (incoming?.migration === migration) return;
  throw conflict(`instance ${name} is no incoming copy of migration ${migration}`);
}

function endOffer(offer: FakeOffer, end: TransferEnd): void {
  offer.state = 'ended';
  offer.end ??= end;
}

function rootBytes(instance: FakeInstance | undefined): number {
  return Object.values(instance?.files ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function conflict(message: string): HostlerError {
  return new HostlerError('Conflict', message);
}
