import type { Clock, Timer } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import type { HttpRequest, HttpResponse } from './connection.ts';

/** A server that is alive but has lost its store goes on with its watches, without events: it has to be asked. */
export const READINESS_INTERVAL_MS = 5_000;
const TIMEOUT_MS = 2_000;
/** Signs of trouble have it asked at once, but not more often than this. */
const SPACING_MS = 1_000;

interface Askable {
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

/**
 * Whether the server at the other end of `connection` answers /readyz, and not with a failure. Other refusals (401, 403, 404) are
 * no sign of trouble: not every API shows it to everybody.
 */
export async function isReady(
  connection: Askable,
  { pathPrefix, headers, clock }: { pathPrefix: string; headers: Record<string, string>; clock: Clock },
): Promise<boolean> {
  try {
    const deadline = { clock, timeoutMs: TIMEOUT_MS, what: 'GET /readyz' };
    const request: HttpRequest = { method: 'GET', path: `${pathPrefix}/readyz`, headers };
    return await withDeadline(deadline, new AbortController().signal, async (signal) => {
      const { status, body } = await connection.request(request, signal);
      for await (const chunk of body) void chunk;
      return status < 500;
    });
  } catch {
    // Whatever the reason is, it cannot be told to be ready; requests that fail say why.
    return false;
  }
}

/** Calls `check` regularly, and soon after `hasten`; never twice at a time. */
export function createReadinessWatch(
  check: () => Promise<void>,
  clock: Clock,
): { start(): void; hasten(): void; stop(): void } {
  let timer: Timer | undefined;
  let isStopped = false;
  let isRunning = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  const schedule = (delayMs: number): void => {
    timer?.cancel();
    timer = isStopped ? undefined : clock.schedule(delayMs, () => void run());
  };
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    lastMs = clock.monotonicMs();
    await check().finally(() => {
      isRunning = false;
    });
    schedule(READINESS_INTERVAL_MS);
  };
  return {
    start: () => {
      if (timer === undefined && !isRunning) schedule(READINESS_INTERVAL_MS);
    },
    hasten: () => {
      if (!isRunning) schedule(Math.max(0, lastMs + SPACING_MS - clock.monotonicMs()));
    },
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}
