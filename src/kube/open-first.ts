import type { Clock } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';

/** A server that has not answered after so long is not given up, but the next one is tried beside it. */
const STAGGER_MS = 400;

export interface OpenFirstOptions<T> {
  open: (server: string) => Promise<T>;
  /** Called for what was opened too late to be of use. */
  discard: (late: T) => void;
  /** Called for each that failed before another one was open. */
  onFailure: (server: string) => void;
  clock: Clock;
}

/**
 * Opens the first of `servers` that answers, in their order; one that is silent (frozen, or its link cut) costs 0.4 s, and one
 * that refuses nothing.
 * @throws Unavailable when none can be opened, with the reason of each
 */
export function openFirst<T>(
  servers: readonly string[],
  { open, discard, onFailure, clock }: OpenFirstOptions<T>,
): Promise<{ server: string; opened: T }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ server: string; opened: T }>();
  const failures: string[] = [];
  let next = 0;
  let isOver = false;
  let timer = { cancel(): void {} };
  const end = (): void => {
    isOver = true;
    timer.cancel();
  };
  const attempt = async (server: string): Promise<void> => {
    try {
      const opened = await open(server);
      if (isOver) return discard(opened);
      end();
      resolve({ server, opened });
    } catch (error) {
      if (isOver) return;
      onFailure(server);
      failures.push(`${server}: ${messageOf(error)}`);
      if (failures.length < servers.length) return tryNext();
      end();
      reject(new HostlerError('Unavailable', `Cannot reach the API: ${failures.join('; ')}`));
    }
  };
  const tryNext = (): void => {
    timer.cancel();
    const server = servers[next];
    if (isOver || server === undefined) return;
    next += 1;
    timer = clock.schedule(STAGGER_MS, tryNext);
    void attempt(server);
  };
  tryNext();
  return promise;
}
