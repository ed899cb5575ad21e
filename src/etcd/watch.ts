import type { Readable } from 'node:stream';
import type { IEvent, IWatchRequest, IWatchResponse } from 'etcd3';
import { sleep, systemClock } from '../ports/clock.ts';
import { HostlerError, hasCode, messageOf } from '../ports/errors.ts';
import type { EtcdClient } from './client.ts';
import { etcdFailure } from './errors.ts';
import type { KeyRange } from './keys.ts';
import { requireLeader } from './leader.ts';

/**
 * Watches that go on for ever: one gRPC stream for each, so that none can hold up another. The position moves only by
 * what was handed on (the last event's revision, or a progress notice), and a new connection begins right after it.
 */
export interface RevisionBatch {
  /** Everything up to this revision has now been handed on. */
  revision: number;
  events: IEvent[];
}

type WatchStream = Readable & { write(request: IWatchRequest): void; cancel(): void };

const firstPauseMs = 20;
const longestPauseMs = 1_000;

/**
 * The changes of `range` after `afterRevision`, until `signal` is aborted.
 * @throws Expired when the position is compacted, or lies ahead of the store (which was then restored from a backup);
 * Forbidden, Unauthorized
 */
export async function* watchRange(
  client: EtcdClient,
  range: KeyRange,
  afterRevision: number,
  signal: AbortSignal,
): AsyncGenerator<RevisionBatch> {
  const stop = AbortSignal.any([signal, client.closed]);
  let position = afterRevision;
  let pauseMs = firstPauseMs;
  while (!stop.aborted) {
    try {
      for await (const batch of oneConnection(client, range, position, stop)) {
        pauseMs = firstPauseMs;
        if (batch.revision <= position) continue;
        const events = batch.events.filter((event) => Number(event.kv.mod_revision) > position);
        position = batch.revision;
        yield { revision: position, events };
      }
    } catch (error) {
      if (stop.aborted) return;
      if (hasCode(error, 'Expired', 'Forbidden', 'Unauthorized', 'Invalid')) throw error;
      client.logger.debug({ error: messageOf(error), position }, 'watch lost its connection');
    }
    await sleep(systemClock, pauseMs, stop);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

async function* oneConnection(
  client: EtcdClient,
  range: KeyRange,
  position: number,
  signal: AbortSignal,
): AsyncGenerator<RevisionBatch> {
  const endpoint = client.current();
  const what = `watch ${range.key.toString()}`;
  let stream: WatchStream | undefined;
  let isCreated = false;
  const cancel = (): void => stream?.cancel();
  const creation = systemClock.schedule(client.requestTimeoutMs / 2, cancel);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    stream = (await endpoint.raw.watchClient.watch(requireLeader)) as unknown as WatchStream;
    if (signal.aborted) return;
    stream.write(createRequest(range, position));
    let fragments: IEvent[] = [];
    for await (const response of stream as AsyncIterable<IWatchResponse>) {
      throwIfCanceled(response, what);
      if (response.created) {
        isCreated = true;
        creation.cancel();
        await checkPosition(client, Number(response.header.revision), position, signal);
        continue;
      }
      fragments = fragments.concat(response.events);
      if (response.fragment) continue;
      yield { revision: reached(fragments, response), events: fragments };
      fragments = [];
    }
    throw new HostlerError('Unavailable', `Cannot ${what}: the stream ended`);
  } catch (thrown) {
    const { error, fate } = etcdFailure(thrown, what);
    if (fate !== 'refused' && !signal.aborted) endpoint.giveUp();
    throw isCreated ? error : lateOr(error, what);
  } finally {
    creation.cancel();
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}

/** A watcher that was not created in time was cancelled by ourselves: say that instead. */
function lateOr(error: HostlerError, what: string): HostlerError {
  const isCancelled = /CANCELLED/i.test(messageOf(error));
  return isCancelled ? new HostlerError('Timeout', `Cannot ${what}: etcd did not answer in time`) : error;
}

function createRequest(range: KeyRange, position: number): IWatchRequest {
  return {
    create_request: {
      key: range.key,
      ...(range.rangeEnd && { range_end: range.rangeEnd }),
      start_revision: position + 1,
      progress_notify: true,
      fragment: true,
    },
  };
}

/** Only a notice without events says that everything up to the header's revision was sent. */
function reached(events: readonly IEvent[], response: IWatchResponse): number {
  const last = events.at(-1);
  return Number(last ? last.kv.mod_revision : response.header.revision);
}

function throwIfCanceled(response: IWatchResponse, what: string): void {
  if (!response.canceled) return;
  if (Number(response.compact_revision) > 0) {
    throw new HostlerError(
      'Expired',
      `Cannot ${what}: revisions up to ${response.compact_revision} are compacted`,
    );
  }
  const isForbidden = /permission denied/i.test(response.cancel_reason);
  throw new HostlerError(
    isForbidden ? 'Forbidden' : 'Unavailable',
    `Cannot ${what}: ${response.cancel_reason}`,
  );
}

/** A member that lags behind may have less than `position`; a store that has less was restored from a backup. */
async function checkPosition(
  client: EtcdClient,
  memberRevision: number,
  position: number,
  signal: AbortSignal,
): Promise<void> {
  if (memberRevision >= position) return;
  const reply = await client.repeat(
    'compare the revision of the store',
    (raw, options) => raw.kv.range({ key: Buffer.from([0]), count_only: true }, options),
    { timeoutMs: client.requestTimeoutMs, signal },
  );
  if (Number(reply.header.revision) >= position) return;
  throw new HostlerError('Expired', `The store is at revision ${reply.header.revision}, before ${position}`);
}
