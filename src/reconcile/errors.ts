import { errorCode } from '../ports/errors.ts';

/**
 * What a failed reconcile asks of the queue. A reconciler throws `waiting` or `terminal` where it knows better; anything
 * else that is thrown is transient: tried again with exponential back-off.
 */
export type Failure =
  | { kind: 'transient' }
  /** Tried again after `afterMs`, without back-off. */
  | { kind: 'waiting'; afterMs: number }
  /** Not tried again until a source reports the object. `reason` is CamelCase, for the `Stalled` condition. */
  | { kind: 'terminal'; reason: string };

const NAME = 'ReconcileError';

/** Made by `waiting` and `terminal`; recognised by its name and `failure`, never by its class. */
export class ReconcileError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = NAME;
    this.failure = failure;
  }
}

/**
 * The reconcile cannot go on now, for a reason that time or somebody else will remove.
 * @param afterMs milliseconds until the next try, >= 0
 */
export function waiting(message: string, afterMs: number, cause?: unknown): ReconcileError {
  return new ReconcileError({ kind: 'waiting', afterMs }, message, cause);
}

/**
 * The object as it stands can never be reconciled.
 * @param reason CamelCase, shown in the `Stalled` condition
 */
export function terminal(reason: string, message: string, cause?: unknown): ReconcileError {
  return new ReconcileError({ kind: 'terminal', reason }, message, cause);
}

/** The kind of anything that a reconcile threw. A `TooManyRequests` waits for as long as the server asked. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { kind: 'transient' };
  if (error.name === NAME && 'failure' in error) return error.failure as Failure;
  if (errorCode(error) === 'TooManyRequests' && 'retryAfterMs' in error) {
    return { kind: 'waiting', afterMs: error.retryAfterMs as number };
  }
  return { kind: 'transient' };
}
