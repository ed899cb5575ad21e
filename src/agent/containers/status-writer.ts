import {
  type Container,
  containerKind,
  type ContainerStatus,
  type FailoverPolicy,
} from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { ContainerFacts, Step } from '../../plan/lifecycle/container.ts';
import { containerStatus } from '../../plan/lifecycle/status.ts';
import type { Clock } from '../../ports/clock.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { createTrigger } from '../../reconcile/source.ts';
import type { LatestContainers } from './latest.ts';

/**
 * Writes what was seen of containers into their status, apart from the work on the host, so that an API that is slow or
 * away never delays a restart. Of each container only the last word counts; it is put into the object as that is at the
 * moment of the write, and is dropped when the object asks for something else by then: a new pass says it anew.
 */
export interface StatusWriter {
  readonly controller: Controller;
  /** Says that `step` is what goes on in the face of `facts`. */
  say(facts: ContainerFacts, step: Step): void;
  /** Says the last word about `key` once more: the addresses are others now. */
  repeat(key: string): void;
  /** Whether nothing but the status has changed, and that to what was said here last: nobody has to look at it. */
  isEcho(change: Change<Container>): boolean;
  /** Nothing more is to be said about `key`. */
  drop(key: string): void;
}

export interface StatusWriterDeps {
  store: Pick<ObjectStore, 'get'>;
  latest: LatestContainers;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  addressesOf(key: string): readonly string[];
  /** The value that status.failover has to get; undefined: it stays. */
  agreedFailover(container: Container): FailoverPolicy | undefined;
  /** Looks at the container again: it was not what it had seemed to be. */
  wake(key: string): void;
}

const CONCURRENCY = 16;
const TIMEOUT_MS = 5_000;
const RETRY_MS = 2_000;

export function createStatusWriter(deps: StatusWriterDeps): StatusWriter {
  const { latest, clock, logger } = deps;
  const words = new Map<string, { facts: ContainerFacts; step: Step }>();
  /** What was sent last, also while it is not known whether it has arrived. */
  const sent = new Map<string, ContainerStatus>();
  const trigger = createTrigger();

  const write = async (key: string, signal: AbortSignal): Promise<void> => {
    const word = words.get(key);
    const container = latest.get(key);
    if (word === undefined) return;
    if (container !== undefined && asksTheSame(container, word.facts.container)) {
      const extras = { addresses: deps.addressesOf(key), now: new Date(clock.nowMs()).toISOString() };
      const status = containerStatus({ ...word.facts, container }, word.step, extras);
      const failover = deps.agreedFailover(container);
      const agreed = failover === undefined ? status : { ...status, failover };
      sent.set(key, agreed);
      await latest.writeStatus(container, agreed, signal);
    }
  };

  /** Somebody else has written the object: what it is now, is what the next pass goes by. */
  const catchUp = async (key: string, signal: AbortSignal): Promise<void> => {
    words.delete(key);
    const [namespace = '', name = ''] = key.split('/');
    const container = await deps.store.get<Container>(containerKind, { namespace, name }, signal);
    if (container !== undefined) latest.learn(container);
    deps.wake(key);
  };

  const controller = createController({
    ...deps,
    name: 'container-status',
    sources: [trigger],
    concurrency: CONCURRENCY,
    deadlineMs: TIMEOUT_MS,
    async reconcile(key, signal) {
      try {
        await write(key, signal).catch(async (error: unknown) => {
          if (!hasCode(error, 'Conflict')) throw error;
          await catchUp(key, signal);
        });
        return {};
      } catch (error) {
        if (hasCode(error, 'NotFound')) return {};
        logger.debug({ container: key, error: messageOf(error) }, 'cannot write the status now');
        deps.metrics.count('hostler_reconcile_errors_total', {
          controller: 'container-status',
          kind: 'waiting',
        });
        return { requeueAfterMs: RETRY_MS };
      }
    },
  });

  return {
    controller,
    say(facts, step) {
      const key = keyOf(facts.container);
      words.set(key, { facts, step });
      trigger.enqueue(key);
    },
    repeat(key) {
      if (words.has(key)) trigger.enqueue(key);
      else deps.wake(key);
    },
    isEcho({ key, old, new: now }) {
      const status = sent.get(key);
      if (status === undefined || old === undefined || now === undefined) return false;
      return isSameJson(now.status, status) && isSameJson(withoutVersion(old), withoutVersion(now));
    },
    drop(key) {
      words.delete(key);
      sent.delete(key);
    },
  };
}

/** A change of the spec shows in the generation. */
function withoutVersion({ metadata }: Container): object {
  return { ...metadata, resourceVersion: undefined, managedFields: undefined };
}

function asksTheSame(now: Container, then: Container): boolean {
  return (
    now.metadata.uid === then.metadata.uid &&
    now.metadata.generation === then.metadata.generation &&
    now.metadata.deletionTimestamp === then.metadata.deletionTimestamp &&
    now.status?.nodeName === then.status?.nodeName &&
    now.status?.epoch === then.status?.epoch
  );
}
