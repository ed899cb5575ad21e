import type { KubeObject } from '../crds/object.ts';
import { hasCode, HostlerError } from '../ports/errors.ts';
import type { WatchEvent } from '../ports/object-store.ts';
import type { InformerOptions } from './informer.ts';
import type { Selection } from './list-all.ts';

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
/** An attempt that lasted for so long has worked, even if nothing happened meanwhile. */
const STEADY_MS = 5_000;

/** One watch, until it ends, fails, or is silent for too long (half-open: `Unavailable`). */
export async function follow<T extends KubeObject>(
  options: InformerOptions<T>,
  { position, seconds }: { position: string; seconds: number },
  sink: { take(event: WatchEvent<T>): void; contactMs(): number | undefined },
  parent: AbortSignal,
): Promise<void> {
  const { store, ref, clock, idleTimeoutMs = 120_000 } = options;
  const idle = new HostlerError(
    'Unavailable',
    `The watch of ${ref.resource} was silent for ${idleTimeoutMs} ms`,
  );
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(parent.reason);
  parent.addEventListener('abort', onAbort, { once: true });
  const startMs = clock.monotonicMs();
  const lastMs = (): number => Math.max(startMs, sink.contactMs() ?? startMs);
  const check = (): void => {
    const leftMs = lastMs() + idleTimeoutMs - clock.monotonicMs();
    if (leftMs <= 0) stop.abort(idle);
    else timer = clock.schedule(leftMs, check);
  };
  let timer = clock.schedule(idleTimeoutMs, check);
  try {
    const watch = { ...selectionOf(options), resourceVersion: position, timeoutSeconds: Math.floor(seconds) };
    for await (const event of store.watch<T>(ref, watch, stop.signal)) sink.take(event);
  } catch (error) {
    throw stop.signal.reason === idle ? idle : error;
  } finally {
    timer.cancel();
    parent.removeEventListener('abort', onAbort);
  }
}

export function selectionOf<T extends KubeObject>({
  namespace,
  labelSelector,
  fieldSelector,
}: InformerOptions<T>): Selection {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

/**
 * How long to wait after an attempt that ended with `error`, if any: exponential, with jitter, so that many informers
 * that lost one server do not come back all at once. A first end or 410 is not waited for. After an attempt that has
 * worked, by its events or its length, failures are counted from the beginning.
 */
export function createRetry(
  random: () => number,
): (error: unknown, attempt: { lastedMs: number; hadEvents: boolean }) => number {
  let failures = 0;
  return (error, { lastedMs, hadEvents }) => {
    if (hadEvents || lastedMs >= STEADY_MS) failures = 0;
    const isExpected = error === undefined || hasCode(error, 'Expired');
    const atOnce = isExpected && failures === 0;
    const limitMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
    failures += 1;
    if (atOnce) return 0;
    const askedMs = (error as { retryAfterMs?: number } | undefined)?.retryAfterMs ?? 0;
    return Math.max(askedMs, limitMs * (0.5 + random() / 2));
  };
}
