import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sleep, systemClock } from '../ports/clock.ts';
import { HostlerError } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { clientEndpoint, dataDirArgument, etcdFlags } from './process-flags.ts';
import type { EtcdMember, EtcdTlsFiles } from './process-flags.ts';
import { takeFolder } from './process-lock.ts';
import { runEtcd } from './process-run.ts';
import type { EtcdRun } from './process-run.ts';

export type { EtcdMember, EtcdTlsFiles } from './process-flags.ts';

/**
 * The etcd of `--etcd embedded`: started, watched over, restarted when it dies, ended with the server. Invariants: one
 * supervisor and one etcd for each data folder, whatever was killed before; the folder is readable by its owner alone;
 * the client port is on loopback, and with `tls` it serves only holders of a client certificate (without, any user of
 * the machine can read the store).
 */
export interface EmbeddedEtcdOptions {
  /** Made if absent, mode 0700. */
  dataDir: string;
  /** @defaultValue `etcd`, found on the usual paths */
  binary?: string;
  /** `https://127.0.0.1:2379`, say, or `http://…` without `tls`; port 0 picks a free one. */
  listenClientUrl: string;
  tls?: EtcdTlsFiles;
  /**
   * One of several that together are one store. It serves only once a majority of them is there, so its start is not waited for:
   * calls fail until then. Default: a store of its own.
   */
  member?: EtcdMember;
  /** Disk space of the store. @defaultValue 4 GiB */
  quotaBackendBytes?: number;
  /** @defaultValue 20000; a member waits for the others however long it takes */
  startTimeoutMs?: number;
  logger: Logger;
  /** Stops it, like `stop`. */
  signal: AbortSignal;
}

export interface EmbeddedEtcd {
  /** With the real port; the same after each restart. */
  endpoint: string;
  tls?: EtcdTlsFiles;
  /** pid of the etcd that runs now; 0 between two runs. */
  readonly pid: number;
  /** Clean stop (SIGTERM, after 5 s SIGKILL). Idempotent; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Resolves when no etcd runs any more and none will be started; never rejects. */
  exited: Promise<EmbeddedEtcdEnd>;
}

export type EmbeddedEtcdEnd =
  | { reason: 'stopped' }
  /** It died again and again right after its start. */
  | { reason: 'gaveUp'; message: string };

const stopGraceMs = 5_000;
const firstBackoffMs = 100;
const longestBackoffMs = 5_000;
/** A run of this length counts as good: the back-off begins anew. */
const goodRunMs = 30_000;
/** Bad runs in a row after which the supervisor gives up; by then about half a minute has gone by. */
const mostBadRuns = 10;
/** A member that is still there after so long is not one that cannot start: it waits for the others. */
const memberStartMs = 2_000;
const noLimitMs = 24 * 3_600_000;

/**
 * Starts etcd and resolves when it serves.
 * @throws Conflict when another server uses the folder; Invalid for a bad address; Unavailable when it does not come up
 * (the message has the end of its log)
 */
export async function startEmbeddedEtcd(options: EmbeddedEtcdOptions): Promise<EmbeddedEtcd> {
  const dataDir = resolve(options.dataDir);
  const etcdDir = join(dataDir, 'etcd');
  const endpoint = await clientEndpoint(options.listenClientUrl, options.tls);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await chmod(dataDir, 0o700);
  const folder = await takeFolder(dataDir, dataDirArgument(etcdDir), options.logger);
  const flags = etcdFlags({ ...options, etcdDir, endpoint, tls: absolute(options.tls) });
  const isMember = options.member !== undefined;
  const supervisor = new Supervisor({
    waitMs: isMember ? memberStartMs : noLimitMs,
    start: () =>
      runEtcd(options.binary ?? 'etcd', flags, {
        cwd: dataDir,
        logger: options.logger,
        startTimeoutMs: isMember ? noLimitMs : (options.startTimeoutMs ?? 20_000),
      }),
    logger: options.logger,
    onEnd: () => folder.release(),
  });
  const onAbort = (): void => void supervisor.stop();
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  try {
    await supervisor.start();
  } catch (error) {
    options.signal.removeEventListener('abort', onAbort);
    throw error;
  }
  return {
    endpoint,
    ...(options.tls && { tls: options.tls }),
    get pid() {
      return supervisor.pid;
    },
    stop: () => supervisor.stop(),
    exited: supervisor.exited.finally(() => options.signal.removeEventListener('abort', onAbort)),
  };
}

interface SupervisorDeps {
  start(): EtcdRun;
  /** How long the first run is waited for. */
  waitMs: number;
  logger: Logger;
  onEnd(): Promise<void>;
}

class Supervisor {
  readonly exited: Promise<EmbeddedEtcdEnd>;
  readonly #deps: SupervisorDeps;
  readonly #stopping = new AbortController();
  readonly #tellExited: (end: EmbeddedEtcdEnd) => void;
  #run: EtcdRun | undefined;

  constructor(deps: SupervisorDeps) {
    const { promise, resolve: tell } = Promise.withResolvers<EmbeddedEtcdEnd>();
    this.exited = promise;
    this.#tellExited = tell;
    this.#deps = deps;
  }

  get pid(): number {
    return this.#run?.pid ?? 0;
  }

  async start(): Promise<void> {
    if (this.#stopping.signal.aborted) {
      await this.#end({ reason: 'stopped' });
      throw new HostlerError('Aborted', 'Cannot start etcd: stopped before it was up');
    }
    const run = this.#deps.start();
    this.#run = run;
    const startedMs = systemClock.monotonicMs();
    try {
      await this.#untilServing(run);
    } catch (error) {
      await run.stop(stopGraceMs);
      await this.#end({ reason: 'stopped' });
      throw error;
    }
    void this.#supervise(run, startedMs);
  }

  async #untilServing(run: EtcdRun): Promise<void> {
    const { logger, waitMs } = this.#deps;
    const waited = new AbortController();
    const tell = async (): Promise<void> => {
      await run.serving;
      logger.info({ pid: run.pid }, 'etcd serves');
    };
    const serving = tell();
    const isLate = await Promise.race([
      serving.then(() => false),
      sleep(systemClock, waitMs, waited.signal),
    ]).finally(() => waited.abort());
    if (!isLate) return;
    logger.info({ pid: run.pid }, 'etcd waits for a majority of its members');
    // Should it end before, its supervisor finds out.
    serving.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run?.stop(stopGraceMs);
    await this.exited;
  }

  async #supervise(first: EtcdRun, firstStartedMs: number): Promise<void> {
    const { signal } = this.#stopping;
    let run = first;
    let startedMs = firstStartedMs;
    let badRuns = 0;
    for (;;) {
      const message = await run.ended;
      this.#run = undefined;
      if (signal.aborted) return this.#end({ reason: 'stopped' });
      badRuns = systemClock.monotonicMs() - startedMs >= goodRunMs ? 0 : badRuns + 1;
      if (badRuns > mostBadRuns) return this.#end({ reason: 'gaveUp', message });
      const backoffMs = Math.min(firstBackoffMs * 2 ** Math.max(0, badRuns - 1), longestBackoffMs);
      this.#deps.logger.error({ message, backoffMs }, 'etcd ended; starting it again');
      if (!(await sleep(systemClock, backoffMs, signal))) return this.#end({ reason: 'stopped' });
      run = this.#deps.start();
      this.#run = run;
      startedMs = systemClock.monotonicMs();
      void this.#endUnlessServing(run);
    }
  }

  /** A run that hangs at its start must end, so that the next can begin. */
  async #endUnlessServing(run: EtcdRun): Promise<void> {
    try {
      await run.serving;
      this.#deps.logger.info({ pid: run.pid }, 'etcd serves again');
    } catch {
      await run.stop(stopGraceMs);
    }
  }

  async #end(end: EmbeddedEtcdEnd): Promise<void> {
    this.#run = undefined;
    try {
      await this.#deps.onEnd();
    } finally {
      this.#tellExited(end);
    }
  }
}

function absolute(tls: EtcdTlsFiles | undefined): EtcdTlsFiles | undefined {
  return (
    tls && {
      certFile: resolve(tls.certFile),
      keyFile: resolve(tls.keyFile),
      trustedCaFile: resolve(tls.trustedCaFile),
    }
  );
}
