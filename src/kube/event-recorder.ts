import { createHash } from 'node:crypto';
import type { KubeObject, ObjectReference, ResourceRef } from '../crds/object.ts';
import { type Clock, sleep } from '../ports/clock.ts';
import { hasCode, messageOf } from '../ports/errors.ts';
import type { EventRecorder } from '../ports/event-recorder.ts';
import type { Logger } from '../ports/logger.ts';
import { type Metrics, noMetrics } from '../ports/metrics.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { createRateLimit } from './rate-limit.ts';
import { saysNamespaceEnds } from './status-error.ts';

export const eventRef: ResourceRef = {
  group: '',
  version: 'v1',
  kind: 'Event',
  resource: 'events',
  namespaced: true,
};

const MAX_MESSAGE = 1_024;
const MAX_QUEUED = 1_000;
const MAX_KNOWN = 4_096;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
const FLUSH_MS = 5_000;

export interface EventRecorderOptions {
  store: Pick<ObjectStore, 'create' | 'get' | 'mergePatch'>;
  /** Who says it: `hostler-agent` on a host. */
  source: { component: string; host?: string };
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
}

/** `v1` Event, as far as it is written here. */
export interface EventObject extends KubeObject {
  involvedObject: ObjectReference;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  source: { component: string; host?: string };
  reportingComponent: string;
  reportingInstance: string;
  firstTimestamp: string;
  lastTimestamp: string;
  count: number;
}

/**
 * One Event for each (object, type, reason, message) of this source, with a name that follows from them, so that repeats
 * count up on it, also after a restart. Per object only so many get through; writing happens in the background, is tried
 * again while the API cannot be reached, and holds up nobody.
 */
export function createEventRecorder(
  options: EventRecorderOptions,
): EventRecorder & { flush(): Promise<void>; close(): void } {
  const { clock, logger, metrics = noMetrics } = options;
  const stop = new AbortController();
  const queue = new Map<string, EventObject>();
  /** The counts that are stored, by name; the oldest go first. */
  const counts = new Map<string, number>();
  const limit = createRateLimit(clock, { burst: 25, refillMs: 30_000, maxKeys: MAX_KNOWN });
  let draining: Promise<void> | undefined;

  const write = async (name: string, event: EventObject): Promise<void> => {
    const count = await writeEvent(options.store, event, counts.get(name), stop.signal);
    counts.delete(name);
    counts.set(name, count);
    if (counts.size > MAX_KNOWN) counts.delete(first(counts));
  };

  const drain = async (): Promise<void> => {
    let retryMs = RETRY_MS;
    while (queue.size > 0 && !stop.signal.aborted) {
      const name = first(queue);
      const event = queue.get(name) as EventObject;
      queue.delete(name);
      try {
        await write(name, event);
        retryMs = RETRY_MS;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (hasCode(error, 'Unavailable', 'Timeout', 'TooManyRequests')) {
          const newer = queue.get(name);
          queue.set(name, newer ? { ...newer, count: newer.count + event.count } : event);
          await sleep(clock, retryMs, stop.signal);
          retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
        } else {
          const what = { event: name, reason: event.reason, error: messageOf(error) };
          if (saysNamespaceEnds(error))
            logger.debug(what, 'event not written: its namespace is being deleted');
          else logger.warn(what, 'event not written');
        }
      }
    }
  };

  const start = (): void => {
    draining ??= drain().finally(() => {
      draining = undefined;
      if (queue.size > 0 && !stop.signal.aborted) start();
    });
  };

  return {
    record(about, type, reason, message) {
      if (stop.signal.aborted) return;
      if (!limit.take(`${about.kind}/${about.namespace ?? ''}/${about.name}`)) {
        metrics.count('hostler_events_dropped_total', { why: 'rate' });
        return;
      }
      const event = newEvent(options, { about, type, reason, message });
      const { name } = event.metadata;
      const waiting = queue.get(name);
      queue.set(
        name,
        waiting ? { ...waiting, lastTimestamp: event.lastTimestamp, count: waiting.count + 1 } : event,
      );
      if (queue.size > MAX_QUEUED) {
        queue.delete(first(queue));
        metrics.count('hostler_events_dropped_total', { why: 'queue' });
      }
      start();
    },
    async flush() {
      const timeUp = new AbortController();
      await Promise.race([draining, sleep(clock, FLUSH_MS, timeUp.signal)]);
      timeUp.abort();
    },
    close: () => stop.abort(),
  };
}

/** @returns the count that is stored now */
async function writeEvent(
  store: EventRecorderOptions['store'],
  event: EventObject,
  known: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const { namespace = 'default', name } = event.metadata;
  const countUp = async (stored: number): Promise<number> => {
    const count = stored + event.count;
    const body = { count, lastTimestamp: event.lastTimestamp };
    await store.mergePatch(eventRef, { namespace, name }, { body }, signal);
    return count;
  };
  try {
    if (known !== undefined) return await countUp(known);
  } catch (error) {
    if (!hasCode(error, 'NotFound')) throw error;
  }
  try {
    await store.create(eventRef, event, signal);
    return event.count;
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
  }
  const stored = await store.get<EventObject>(eventRef, { namespace, name }, signal);
  return await countUp(stored?.count ?? 0);
}

interface Said {
  about: ObjectReference;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

function newEvent(
  { source, clock }: EventRecorderOptions,
  { about, type, reason, message }: Said,
): EventObject {
  const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message;
  const identity = JSON.stringify([about, source.component, source.host, type, reason, text]);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const now = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${about.name.slice(0, 230)}.${hash}`, namespace: about.namespace ?? 'default' },
    involvedObject: about,
    type,
    reason,
    message: text,
    source,
    reportingComponent: source.component,
    reportingInstance: source.host ?? '',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

function first(map: ReadonlyMap<string, unknown>): string {
  const [key = ''] = map.keys();
  return key;
}
