import { type Clock, sleep } from '../ports/clock.ts';
import { HostlerError, hasCode } from '../ports/errors.ts';
import type { PullRequest, TransferProgress, TransferResult } from '../ports/host-transfer.ts';
import { isHalfMade } from './creation.ts';
import { abortFault, isLostReply } from './faults.ts';
import {
  CLEARING_POLL_MS,
  CLEARING_POLLS,
  hasProcess,
  type InstanceContext,
  type InstanceView,
  pathOf,
  unfinishedOperations,
} from './instance.ts';
import { pathOf as poolPath } from './pools.ts';
import { openRelay, type Relay, type TransferNetwork } from './relay.ts';
import { configOf, devicesOf, INCOMING_KEY, isMadeForLive, markOf } from './settings.ts';

/**
 * One pass at the target. A daemon cannot be told to stop pulling: cutting its connections is what ends it, and the pass is over
 * only when the daemon's operation is. Nothing is repeated by itself: an offer serves one pass.
 */
export interface PullContext extends InstanceContext {
  clock: Clock;
  /** Undefined: our daemon is on another host, and reads from the source itself, uncounted and unlimited. */
  network: TransferNetwork | undefined;
}

type OnProgress = (progress: TransferProgress) => void;

/** One wait for the operation; it is waited for again. */
const WAIT_MS = 30_000;
/** How long the daemon may take to notice that its connections were cut. */
const CUT_MS = 60_000;

export async function pullTransfer(
  context: PullContext,
  request: PullRequest,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<TransferResult> {
  const { clock } = context;
  if (signal.aborted) throw abortFault(signal);
  const startMs = clock.monotonicMs();
  const copy = await findCopy(context, request, signal);
  // A live pass whose answer was lost: a copy runs for no other reason.
  if (copy?.status === 'Running' && request.live && (await hasProcess(context.api, copy.name, signal))) {
    return { bytes: 0, tookMs: 0 };
  }
  if (copy !== undefined && copy.status !== 'Stopped') {
    throw new HostlerError('Conflict', `instance ${request.spec.name} is ${copy.status.toLowerCase()}`);
  }
  if (copy === undefined) await checkPlace(context, request, signal);
  const bytes = await runPass(context, { request, isRefresh: copy !== undefined }, onProgress, signal);
  if (request.live) await requireRestored(context, request.spec.name, signal);
  return { bytes, tookMs: Math.round(clock.monotonicMs() - startMs) };
}

/** Incus 6.0 may call a pass a success, on both sides, whose restore has failed. */
async function requireRestored(
  { api, clock }: PullContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  for (let polls = 0; polls < CLEARING_POLLS; polls++) {
    if (await hasProcess(api, name, signal)) return;
    if (!(await sleep(clock, CLEARING_POLL_MS, signal))) throw abortFault(signal);
  }
  const message = `criu could not restore the processes of instance ${name}: its log is with the daemon's logs of the instance`;
  throw new HostlerError('Internal', message);
}

/** A daemon with a single pool takes that one for any that it does not know, and looks at networks only at the start. */
async function checkPlace({ api }: PullContext, { spec }: PullRequest, signal: AbortSignal): Promise<void> {
  const missing = async (what: string, path: string): Promise<void> => {
    if ((await api.find(path, signal)) === undefined) {
      throw new HostlerError('Invalid', `there is no ${what} on the host`);
    }
  };
  await Promise.all([
    missing(`storage pool ${spec.rootPool}`, poolPath(spec.rootPool)),
    ...spec.networks.map(({ network }) =>
      missing(`network ${network}`, `/1.0/networks/${encodeURIComponent(network)}`),
    ),
  ]);
}

/** A copy whose first pass was cut short by the daemon's end is nothing that a refresh could go on from. */
async function findCopy(
  context: PullContext,
  { spec, migration }: PullRequest,
  signal: AbortSignal,
): Promise<InstanceView | undefined> {
  const { api } = context;
  const path = pathOf(spec.name);
  let view = await api.find<InstanceView>(path, signal);
  if (view === undefined) return undefined;
  if (view.config[INCOMING_KEY] !== migration || markOf(view.config)?.uid !== spec.mark.uid) {
    throw new HostlerError('AlreadyExists', `there is another instance ${spec.name} on the host`);
  }
  if (!isHalfMade(view)) return view;
  await unfinishedOperations(context, spec.name, signal);
  view = await api.find<InstanceView>(path, signal);
  if (view === undefined || !isHalfMade(view)) return view;
  await api.change({ method: 'DELETE', path }, signal);
  return undefined;
}

async function runPass(
  context: PullContext,
  { request, isRefresh }: { request: PullRequest; isRefresh: boolean },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<number> {
  const { from, bandwidthBytesPerSecond } = request;
  const ending = new AbortController();
  let end: HostlerError | undefined;
  const cut = (reason: HostlerError): void => {
    end ??= reason;
    relay?.close();
    const timer = context.clock.schedule(CUT_MS, () => ending.abort(end));
    ending.signal.addEventListener('abort', () => timer.cancel(), { once: true });
    // Nothing that could be cut: the source withdraws the offer.
    if (relay === undefined) ending.abort(reason);
  };
  const relay = await relayOf(context, { request, onProgress }, () =>
    cut(new HostlerError('Timeout', `nothing came from ${from.address} for too long`)),
  );
  if (relay === undefined && bandwidthBytesPerSecond !== undefined) {
    throw new HostlerError('Invalid', 'a bandwidth limit needs the agent on the host of its daemon');
  }
  const onAbort = (): void => cut(abortFault(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await passOperation(
      context,
      { request, isRefresh, address: relay?.address ?? from.address },
      ending.signal,
    );
    relay?.finish();
    onProgress({ bytes: relay?.bytes ?? 0, bytesPerSecond: 0 });
    return relay?.bytes ?? 0;
  } catch (error) {
    relay?.close();
    throw end ?? passFault(error, request);
  } finally {
    signal.removeEventListener('abort', onAbort);
    ending.abort();
  }
}

async function relayOf(
  { clock, network }: PullContext,
  { request, onProgress }: { request: PullRequest; onProgress: OnProgress },
  onStall: () => void,
): Promise<Relay | undefined> {
  if (network === undefined) return undefined;
  const { bandwidthBytesPerSecond, from } = request;
  const limit = bandwidthBytesPerSecond === undefined ? {} : { bandwidthBytesPerSecond };
  return openRelay({ clock, network, target: new URL(from.address), ...limit, onProgress, onStall });
}

async function passOperation(
  context: PullContext,
  pass: { request: PullRequest; isRefresh: boolean; address: string },
  signal: AbortSignal,
): Promise<void> {
  const { api } = context;
  const { name } = pass.request.spec;
  let operation: string;
  try {
    operation = await api.begin(
      { method: 'POST', path: '/1.0/instances', body: bodyOf(context, pass) },
      signal,
    );
  } catch (error) {
    // It may be under way: two passes of one copy at once would be worse than one that nobody waited for.
    if (isLostReply(error)) await unfinishedOperations(context, name, signal);
    throw error;
  }
  for (;;) {
    try {
      await api.wait(operation, WAIT_MS, signal);
      return;
    } catch (error) {
      if (!hasCode(error, 'Timeout') || signal.aborted) throw error;
    }
  }
}

function bodyOf(
  { abilities }: PullContext,
  { request, isRefresh, address }: { request: PullRequest; isRefresh: boolean; address: string },
): object {
  const { spec, migration, offer, from, live } = request;
  // What was made for a live move at the source needs it here, whatever this host can do afterwards.
  const isLive = abilities.live || isMadeForLive(offer.carried);
  const { 'raw.lxc': _, ...carried } = offer.carried;
  return {
    name: spec.name,
    type: 'container',
    architecture: offer.architecture,
    profiles: [],
    config: { ...configOf(spec, { ...abilities, live: isLive }), ...carried, [INCOMING_KEY]: migration },
    devices: devicesOf(spec),
    source: {
      type: 'migration',
      mode: 'pull',
      operation: `${address}${offer.operation}`,
      secrets: offer.secrets,
      certificate: from.certificate,
      live,
      refresh: isRefresh,
      instance_only: true,
      allow_inconsistent: !live,
      'base-image': carried['volatile.base_image'] ?? '',
    },
  };
}

/** The daemon's words for what the other side did. */
function passFault(error: unknown, { from, offer }: PullRequest): unknown {
  if (!(error instanceof HostlerError) || error.code !== 'Internal') return error;
  const options = { cause: error };
  if (/bad handshake/.test(error.message)) {
    return new HostlerError(
      'NotFound',
      `there is no offer ${offer.operation} at ${from.address} any more`,
      options,
    );
  }
  if (/failed to verify certificate|x509:/.test(error.message)) {
    return new HostlerError('Unavailable', `${from.address} has another certificate than it should`, options);
  }
  if (
    /connection reset|EOF|close 1000|closed network connection|Unable to connect|broken pipe/.test(
      error.message,
    )
  ) {
    return new HostlerError('Unavailable', `the connection to ${from.address} broke`, options);
  }
  return error;
}
