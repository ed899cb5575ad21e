import type { Clock } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { HostDriver } from '../../ports/host-driver.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { createTrigger } from '../../reconcile/source.ts';

/**
 * Learns the addresses of running containers. The daemon reports none by itself, so it is asked: often while a container
 * has none yet, seldom afterwards. What is found goes into the status by way of the container's own pass.
 */
export interface Addresses {
  readonly controller: Controller;
  /** `known` is what the status says; it holds until the first answer of a new run. */
  track(key: string, run: { instance: string; startedAt: string; known: readonly string[] }): void;
  drop(key: string): void;
  of(key: string): readonly string[];
}

export interface AddressesDeps {
  host: Pick<HostDriver, 'getAddresses'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** Whether the daemon has better things to do now: it enters the container's namespaces for each answer. */
  isHostBusy(): boolean;
  /** The addresses of this container are others now. */
  onChange(key: string): void;
}

interface Tracked {
  instance: string;
  startedAt: string;
  sinceMs: number;
  asked: number;
  addresses: readonly string[];
}

/** No container has an address earlier. */
const FIRST_POLL_MS = 400;
const BUSY_MS = 1_000;
const MAX_POLL_MS = 30_000;
const REFRESH_MS = 300_000;
/** A restarted container is given this long to get its old address again. */
const KEEP_MS = 10_000;

export function createAddresses(deps: AddressesDeps): Addresses {
  const { host, clock, logger } = deps;
  const tracked = new Map<string, Tracked>();
  const trigger = createTrigger();

  const settle = (key: string, entry: Tracked, found: readonly string[]): void => {
    const isEarly = clock.monotonicMs() - entry.sinceMs < KEEP_MS;
    if ((found.length === 0 && isEarly) || isSameJson(found, entry.addresses)) return;
    entry.addresses = found;
    deps.onChange(key);
  };

  const controller = createController({
    ...deps,
    name: 'addresses',
    sources: [trigger],
    concurrency: 2,
    async reconcile(key, signal) {
      const entry = tracked.get(key);
      if (entry === undefined) return {};
      const ageMs = clock.monotonicMs() - entry.sinceMs;
      if (ageMs < FIRST_POLL_MS) return { requeueAfterMs: FIRST_POLL_MS - ageMs };
      if (deps.isHostBusy() && ageMs < MAX_POLL_MS) return { requeueAfterMs: BUSY_MS };
      entry.asked += 1;
      const pollMs = Math.min(MAX_POLL_MS, FIRST_POLL_MS * 2 ** (entry.asked - 1));
      let found: readonly string[];
      try {
        found = await host.getAddresses(entry.instance, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        logger.debug({ container: key, error: messageOf(error) }, 'cannot learn the addresses');
        return { requeueAfterMs: pollMs };
      }
      if (tracked.get(key) !== entry) return {};
      settle(key, entry, found);
      return { requeueAfterMs: found.length > 0 ? REFRESH_MS : pollMs };
    },
  });

  return {
    controller,
    track(key, { instance, startedAt, known }) {
      const before = tracked.get(key);
      if (before?.startedAt === startedAt) return;
      const sinceMs = clock.monotonicMs();
      const addresses = before?.addresses ?? known;
      tracked.set(key, { instance, startedAt, sinceMs, asked: 0, addresses });
      trigger.enqueue(key);
    },
    drop: (key) => void tracked.delete(key),
    of: (key) => tracked.get(key)?.addresses ?? [],
  };
}
