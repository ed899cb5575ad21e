import { noop } from 'cockatiel';
import { Etcd3 } from 'etcd3';
import { HostlerError } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { sleep, systemClock } from '../ports/clock.ts';
import { saysNoLeader } from '../ports/storage.ts';
import { etcdFailure } from './errors.ts';
import { requireLeader } from './leader.ts';

/**
 * Calls to etcd, each with a deadline, on one endpoint at a time: the next one is taken when a call fails for want of
 * an answer. Only etcd3's raw clients are used, and none of its retries: whether a call may be sent again is known
 * only to its caller. After a failure etcd3 opens a new connection for later calls, so a dead one is never waited for
 * twice.
 */
export interface EtcdOptions {
  /** `http://…` or `https://…`, all of one cluster. */
  endpoints: string[];
  tls?: { ca: Buffer; cert?: Buffer; key?: Buffer };
  /** Deadline of each call, its repetitions included. @defaultValue 5000 */
  requestTimeoutMs?: number;
  logger: Logger;
}

export interface RawCallOptions extends Pick<typeof requireLeader, 'interceptors'> {
  deadline: number;
}

export type RawCall<T> = (client: Etcd3, options: RawCallOptions) => Promise<T>;

export interface EtcdClient {
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
  /** Aborted by close. */
  readonly closed: AbortSignal;

  /** One try. Rejects with an EtcdCallError. */
  attempt<T>(what: string, run: RawCall<T>, limits: CallLimits): Promise<T>;

  /** Tries until the deadline; for calls that do no harm when they are carried out twice. Rejects with a HostlerError. */
  repeat<T>(what: string, run: RawCall<T>, limits: CallLimits): Promise<T>;

  /** The client of the endpoint in use, for streams; `giveUp` says that it failed. */
  current(): { raw: Etcd3; giveUp(): void };

  close(): void;
}

export interface CallLimits {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** A failed try; `fate` says whether the request may have been carried out. */
export class EtcdCallError extends Error {
  readonly fate: 'unsent' | 'unknown' | 'refused';
  readonly failure: HostlerError;

  constructor(fate: 'unsent' | 'unknown' | 'refused', failure: HostlerError) {
    super(failure.message, { cause: failure });
    this.name = 'EtcdCallError';
    this.fate = fate;
    this.failure = failure;
  }
}

const firstPauseMs = 20;
const longestPauseMs = 400;

export function createEtcdClient(options: EtcdOptions): EtcdClient {
  if (options.endpoints.length === 0) throw new HostlerError('Invalid', 'No etcd endpoint is given');
  const requestTimeoutMs = options.requestTimeoutMs ?? 5_000;
  const clients = options.endpoints.map((endpoint) => rawClient(endpoint, options.tls));
  const closing = new AbortController();
  /** Calls that wait. A signal looks through all of its listeners for the one to remove, which with hundreds of calls is felt. */
  const waiting = new Set<() => void>();
  closing.signal.addEventListener('abort', () => {
    for (const onClosed of waiting) onClosed();
  });
  let index = 0;

  const current = (): { raw: Etcd3; giveUp(): void } => {
    const used = index;
    const raw = clients[used];
    if (!raw || closing.signal.aborted) throw new HostlerError('Aborted', 'The etcd client is closed');
    const giveUp = (): void => {
      if (index === used) index = (used + 1) % clients.length;
    };
    return { raw, giveUp };
  };

  const attempt = async <T>(what: string, run: RawCall<T>, limits: CallLimits): Promise<T> => {
    const endpoint = current();
    if (limits.signal?.aborted) throw new EtcdCallError('unsent', aborted(what));
    const deadline = Date.now() + limits.timeoutMs;
    try {
      return await bounded(run(endpoint.raw, { deadline, ...requireLeader }), what, limits, waiting);
    } catch (thrown) {
      const { fate, error } = etcdFailure(thrown, what);
      if (fate !== 'refused' && error.code !== 'Aborted') endpoint.giveUp();
      throw new EtcdCallError(fate, error);
    }
  };

  return {
    requestTimeoutMs,
    logger: options.logger,
    closed: closing.signal,
    attempt,
    repeat: (what, run, limits) => repeatCall({ attempt, closed: closing.signal }, what, run, limits),
    current,
    close() {
      if (closing.signal.aborted) return;
      closing.abort();
      for (const client of clients) client.close();
    },
  };
}

async function repeatCall<T>(
  client: Pick<EtcdClient, 'attempt' | 'closed'>,
  what: string,
  run: RawCall<T>,
  limits: CallLimits,
): Promise<T> {
  const retry = retryUntil(limits);
  for (;;) {
    try {
      return await client.attempt(what, run, { ...limits, timeoutMs: retry.attemptMs() });
    } catch (thrown) {
      if (!(thrown instanceof EtcdCallError)) throw thrown;
      const final = thrown.fate === 'refused' || thrown.failure.code === 'Aborted';
      const told = retry.moreTelling(thrown.failure);
      if (final || !(await retry.pause(client.closed))) throw final ? thrown.failure : told;
    }
  }
}

export interface Retry {
  /**
   * How long the next try may take: of the whole, a fifth for the first, two fifths for the second, half for later ones. What was
   * sent while a leader of etcd died is never answered: a new one is there within a second, and a dead connection leaves time
   * for a new one.
   */
  attemptMs(): number;
  leftMs(): number;
  /**
   * What to say of a call whose last try failed so: a try that found no time for an answer says less than one before it that
   * was told that there is no leader.
   */
  moreTelling(failure: HostlerError): HostlerError;
  /** Waits before the next try (an abort cuts that short). @returns false when the deadline leaves no time for one */
  pause(closed: AbortSignal): Promise<boolean>;
}

/** The deadline of a call that is tried several times. */
export function retryUntil(limits: CallLimits): Retry {
  const endMs = systemClock.monotonicMs() + limits.timeoutMs;
  const leftMs = (): number => Math.max(1, endMs - systemClock.monotonicMs());
  let pauseMs = firstPauseMs;
  let tries = 0;
  let noLeader: HostlerError | undefined;
  return {
    moreTelling(failure) {
      if (saysNoLeader(failure)) noLeader = failure;
      return failure.code === 'Timeout' ? (noLeader ?? failure) : failure;
    },
    attemptMs() {
      tries += 1;
      return Math.min(leftMs(), limits.timeoutMs * Math.min(tries / 5, 0.5));
    },
    leftMs,
    async pause(closed) {
      if (systemClock.monotonicMs() + pauseMs >= endMs) return false;
      const stop = limits.signal ? AbortSignal.any([closed, limits.signal]) : closed;
      await sleep(systemClock, pauseMs, stop);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      return true;
    },
  };
}

/** Ends the wait (not the call: gRPC's own deadline does that) when the time is up or somebody aborts. */
function bounded<T>(
  call: Promise<T>,
  what: string,
  limits: CallLimits,
  waiting: Set<() => void>,
): Promise<T> {
  const { signal, timeoutMs } = limits;
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      timer.cancel();
      waiting.delete(onAbort);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      finish();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onAbort = (): void => fail(aborted(what));
    const timer = systemClock.schedule(timeoutMs + 50, () =>
      fail(new HostlerError('Timeout', `Cannot ${what}: etcd did not answer within ${timeoutMs} ms`)),
    );
    call.then(resolve, fail).finally(finish);
    waiting.add(onAbort);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

function aborted(what: string): HostlerError {
  return new HostlerError('Aborted', `Cannot ${what}: aborted`);
}

function rawClient(endpoint: string, tls: EtcdOptions['tls']): Etcd3 {
  return new Etcd3({
    hosts: [endpoint],
    faultHandling: { host: () => noop, global: noop },
    ...(tls && { credentials: credentials(tls) }),
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': 6_000,
      'grpc.keepalive_timeout_ms': 3_000,
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // Otherwise a new channel would be given the dead connection of the old one.
      'grpc.use_local_subchannel_pool': 1,
    },
  });
}

function credentials(tls: NonNullable<EtcdOptions['tls']>): {
  rootCertificate: Buffer;
  privateKey?: Buffer;
  certChain?: Buffer;
} {
  return {
    rootCertificate: tls.ca,
    ...(tls.key && { privateKey: tls.key }),
    ...(tls.cert && { certChain: tls.cert }),
  };
}
