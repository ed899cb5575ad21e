import { type Clock, sleep } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import { internalCall, type Served } from '../registry/served.ts';

const SWEEP_INTERVAL_MS = 60_000;

/** Removes objects that have outlived their use (Events), about once a minute, until `signal` is aborted. */
export async function sweepExpired(
  served: readonly Served[],
  { clock, logger }: { clock: Clock; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (await sleep(clock, SWEEP_INTERVAL_MS, signal)) {
    for (const one of served) {
      try {
        await sweep(one, clock.nowMs(), signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { resource: one.definition.resource, err: error },
          'Expired objects could not be removed yet',
        );
      }
    }
  }
}

async function sweep(
  { definition, cache, registry }: Served,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  const expired = cache
    .list({ namespace: undefined, labels: [], fields: [] })
    .filter(({ object }) => (definition.expiresAtMs?.(object) ?? Number.POSITIVE_INFINITY) <= nowMs);
  for (const { object, resourceVersion } of expired) {
    const { name, namespace } = object.metadata;
    const preconditions = { resourceVersion: String(resourceVersion) };
    const target = namespace === undefined ? { name } : { name, namespace };
    await registry.delete(target, { dryRun: false, preconditions }, internalCall('expiry', signal));
  }
}
