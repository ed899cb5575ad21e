/**
 * Errors are told apart by `code`, never by class: an adapter converts whatever its library throws, once, into a
 * HostlerError, keeps the original as `cause`, and everything above looks at `code` alone.
 */

/**
 * - `NotFound`, `AlreadyExists`, `Conflict` (a conditional write lost), `Invalid` (the input is wrong; `details` says
 *   where), `Forbidden`, `Unauthorized`: the other side has answered, and the answer is final for this input
 * - `Expired`: a revision, a watch position or a continue token is too old: list again
 * - `Timeout`: no answer before the deadline; **what was asked may have happened all the same**
 * - `Unavailable`: not reachable, or not able to answer now; nothing is known to have happened
 * - `TooManyRequests`: try again after `retryAfterMs`
 * - `Aborted`: our own AbortSignal
 * - `Internal`: all else
 */
export type ErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Invalid'
  | 'Forbidden'
  | 'Unauthorized'
  | 'Expired'
  | 'Timeout'
  | 'Unavailable'
  | 'TooManyRequests'
  | 'Aborted'
  | 'Internal';

export interface HostlerErrorOptions {
  cause?: unknown;
  retryAfterMs?: number;
  /** What the other side said beyond the message: a Kubernetes `Status`, say. */
  details?: unknown;
}

export class HostlerError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs?: number;
  readonly details?: unknown;

  constructor(code: ErrorCode, message: string, options: HostlerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HostlerError';
    this.code = code;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.details !== undefined) this.details = options.details;
  }
}

/** The code of anything that was thrown; `Aborted` for an AbortError, `Internal` for all that is not ours. */
export function errorCode(error: unknown): ErrorCode {
  if (error instanceof Error) {
    if ('code' in error && error.name === 'HostlerError') return error.code as ErrorCode;
    if (error.name === 'AbortError') return 'Aborted';
    if (error.name === 'TimeoutError') return 'Timeout';
  }
  return 'Internal';
}

export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return codes.includes(errorCode(error));
}

/** `error`'s message with those of its causes, for a condition or an event: `Cannot start default/web: no space left`. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}
