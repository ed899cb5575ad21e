import { type Clock, sleep } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { Runnable } from './runnable.ts';

export interface Manager {
  /**
   * Adds parts that start together, after all that were added before are ready, and that stop together, before those
   * are stopped. Only before `run`.
   */
  add(...runnables: readonly Runnable[]): void;

  /**
   * Runs all parts until `signal` is aborted or one fails or ends by itself; then stops them in reverse order.
   * @throws the error of the part that failed
   */
  run(signal: AbortSignal): Promise<void>;

  /** Whether everything has started and is ready. */
  ready(): boolean;

  /** The names of the parts that are not ready; for /readyz. */
  unready(): string[];
}

export interface ManagerOptions {
  clock: Clock;
  logger: Logger;
  /** Milliseconds that a group may take to become ready, before `run` fails. Default: no limit; it is logged while it waits. */
  startTimeoutMs?: number;
  /** Milliseconds that a group may take to stop, before the rest is stopped without waiting for it. @defaultValue 10_000 */
  stopTimeoutMs?: number;
}

const POLL_MS = 20;
const TELL_EVERY_MS = 10_000;

interface Part {
  runnable: Runnable;
  stop: AbortController;
  /** Resolves when it has ended, however. */
  ended: Promise<void>;
}

export function createManager({
  clock,
  logger,
  startTimeoutMs,
  stopTimeoutMs = 10_000,
}: ManagerOptions): Manager {
  const groups: (readonly Runnable[])[] = [];
  const started: Part[][] = [];

  const unready = (): string[] => {
    const running = new Set(started.flat().map(({ runnable }) => runnable));
    return groups
      .flat()
      .filter((runnable) => !running.has(runnable) || runnable.ready?.() === false)
      .map(({ name }) => name);
  };

  const whenReady = async (group: readonly Runnable[], signal: AbortSignal): Promise<void> => {
    const startMs = clock.monotonicMs();
    let tellMs = startMs + TELL_EVERY_MS;
    for (;;) {
      const waitsFor = group.filter((runnable) => runnable.ready?.() === false).map(({ name }) => name);
      if (waitsFor.length === 0) return;
      const nowMs = clock.monotonicMs();
      if (startTimeoutMs !== undefined && nowMs - startMs >= startTimeoutMs) {
        throw new HostlerError('Timeout', `Not ready after ${startTimeoutMs} ms: ${waitsFor.join(', ')}`);
      }
      if (nowMs >= tellMs) {
        tellMs = nowMs + TELL_EVERY_MS;
        logger.warn({ waitsFor }, 'still not ready');
      }
      if (!(await sleep(clock, POLL_MS, signal))) return;
    }
  };

  const stopGroup = async (group: readonly Part[]): Promise<void> => {
    const running = new Set(group);
    for (const part of group) part.stop.abort();
    const timeUp = new AbortController();
    const ended = group.map((part) => part.ended.then(() => running.delete(part)));
    await Promise.race([Promise.all(ended), sleep(clock, stopTimeoutMs, timeUp.signal)]);
    timeUp.abort();
    const names = [...running].map(({ runnable }) => runnable.name);
    if (names.length > 0) logger.error({ parts: names, stopTimeoutMs }, 'parts did not stop in time');
  };

  return {
    add: (...runnables) => void groups.push(runnables),
    unready,
    ready: () => unready().length === 0,
    async run(signal) {
      const halt = new AbortController();
      let failure: { error: unknown } | undefined;
      const fail = (error: unknown): void => {
        failure ??= { error };
        halt.abort();
      };
      const onAbort = (): void => halt.abort();
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        for (const group of groups) {
          if (halt.signal.aborted) break;
          started.push(group.map((runnable) => startPart(runnable, fail, logger)));
          await whenReady(group, halt.signal);
        }
        await aborted(halt.signal);
      } catch (error) {
        fail(error);
      } finally {
        signal.removeEventListener('abort', onAbort);
        for (const group of started.toReversed()) await stopGroup(group);
        started.length = 0;
      }
      if (failure !== undefined) throw failure.error;
    },
  };
}

function startPart(runnable: Runnable, fail: (error: unknown) => void, logger: Logger): Part {
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    try {
      await runnable.start(stop.signal);
      if (!stop.signal.aborted) fail(new HostlerError('Internal', `${runnable.name} ended by itself`));
    } catch (error) {
      if (stop.signal.aborted) {
        logger.warn({ part: runnable.name, error: messageOf(error) }, 'part failed while it stopped');
      } else fail(error);
    }
  };
  return { runnable, stop, ended: run() };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
