import type { Container } from '../../crds/container.ts';
import { parseDurationMs } from '../../crds/duration.ts';
import type { ContainerRecord, Seen, SeenInstance } from './record.ts';

/** The last failed attempt at a step. It holds the same step back for a while, unless what it depends on has changed. */
export interface StepFailure {
  step: Step['do'];
  /** CamelCase, for the condition. */
  reason: string;
  message: string;
  /** What the step depended on: `cause` of the facts at the time. */
  cause: string;
  /** Milliseconds until the next attempt. */
  retryAfterMs: number;
}

export interface ContainerFacts {
  container: Container;
  nodeName: string;
  /** The highest epoch ever seen for this uid, on disk or on the instance's mark. */
  highestEpoch: number;
  /**
   * `disk`: what the agent remembers from before its own start; the API has not been heard since. It is good enough to
   * start what ended, not to create or remove anything.
   */
  source: 'api' | 'disk';
  seen: Seen;
  /** After `observeInstance` of the same `seen`. */
  record: ContainerRecord;
  /** Keys of spec.config that this host does not allow. */
  forbiddenConfig: readonly string[];
  failure?: StepFailure;
  /** A digest of all that a failed step may have failed for: generation, epoch, annotation, pools of the host. */
  cause: string;
  /** Wall-clock milliseconds. */
  nowMs: number;
}

export type Step =
  | { do: 'nothing' }
  /** Not this node's to act on; neither host nor status is touched. */
  | { do: 'ignore'; reason: 'NotAssigned' | 'StaleEpoch' }
  /** The name is taken by an instance of an earlier Container: `planOrphan` decides about that one first. */
  | { do: 'examine' }
  /** Without `afterMs`: until the Container, the host or the API changes. */
  | { do: 'wait'; reason: string; message: string; afterMs?: number }
  | { do: 'create'; start: boolean }
  | { do: 'update' }
  | { do: 'start' }
  | { do: 'stop'; because: 'PoweredOff' | 'Restarting' | 'Deleted' | 'Migrating'; graceMs: number }
  | { do: 'delete' }
  /** The incoming copy of this migration becomes the instance, or goes. */
  | { do: 'accept' | 'drop'; migration: string }
  /** The host is clear: take the finalizer off. */
  | { do: 'release' };

const DEFAULT_STOP_MS = 30_000;

/** How long the container may take to stop by itself before it is killed. */
export function stopGraceMs({ spec }: Pick<Container, 'spec'>): number {
  return parseDurationMs(spec.stopTimeout ?? '') ?? DEFAULT_STOP_MS;
}

/** Whether the instance has the settings and the mark of an older generation or placement. */
export function isBehind(container: Container, seen: SeenInstance): boolean {
  return (
    seen.mark?.generation !== container.metadata.generation ||
    seen.mark?.epoch !== (container.status?.epoch ?? 0)
  );
}

export function isUp(seen: SeenInstance): boolean {
  return seen.status === 'Running' || seen.status === 'Frozen' || seen.status === 'Freezing';
}

export function holdBack(step: Step, { failure, cause }: ContainerFacts): Step {
  if (failure?.step !== step.do || failure.cause !== cause || failure.retryAfterMs <= 0) return step;
  return {
    do: 'wait',
    reason: failure.reason,
    message: failure.message,
    afterMs: failure.retryAfterMs,
  };
}
