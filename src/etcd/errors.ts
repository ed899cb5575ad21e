import { HostlerError } from '../ports/errors.ts';
import type { ErrorCode } from '../ports/errors.ts';
import type { StoreTrouble } from '../ports/storage.ts';

/**
 * What a failed call says about the request:
 * - `unsent`: it never left this process, so nothing has happened
 * - `unknown`: it may have been carried out, now or later
 * - `refused`: etcd answered; it was not carried out
 */
export type Fate = 'unsent' | 'unknown' | 'refused';

export interface EtcdFailure {
  fate: Fate;
  error: HostlerError;
}

/** etcd3 drops gRPC's status code and keeps it only as the name of the class it throws. */
const refusals: Readonly<Record<string, ErrorCode>> = {
  GRPCInvalidArgumentError: 'Invalid',
  GRPCNotFoundError: 'NotFound',
  GRPCAlreadyExistsError: 'AlreadyExists',
  GRPCFailedPreconditionError: 'Conflict',
  GRPCNotImplementedError: 'Internal',
  GRPCOutOfRangeError: 'Invalid',
  GRPCUnauthenticatedError: 'Unauthorized',
  GRPCResourceExhastedError: 'TooManyRequests',
  EtcdPermissionDeniedError: 'Forbidden',
  EtcdAuthenticationFailedError: 'Unauthorized',
  EtcdInvalidAuthTokenError: 'Unauthorized',
  EtcdLeaseInvalidError: 'NotFound',
};

/** grpc-js has no connection to send on, or gave up the channel before it sent. */
const neverSent =
  /No connection established|Channel closed before call started|Name resolution failed|already closed|ECONNREFUSED/i;

/** What a member says at once to a call with `requireLeader` (leader.ts), before it does anything with it. */
const noLeader = /etcdserver: no leader/;
const noLeaderDetails: StoreTrouble = { trouble: 'NoLeader' };

/** Converts whatever etcd3 threw, once. @param what the call, for the message: `read /registry/x` */
export function etcdFailure(thrown: unknown, what: string): EtcdFailure {
  if (thrown instanceof HostlerError) return { fate: 'unknown', error: thrown };
  const name = thrown instanceof Error ? thrown.constructor.name : '';
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const fail = (fate: Fate, code: ErrorCode, detail?: string): EtcdFailure => ({
    fate,
    error: new HostlerError(code, `Cannot ${what}: ${detail ?? message}`, { cause: thrown }),
  });
  if (/has been compacted/.test(message)) return fail('refused', 'Expired', 'the revision is compacted');
  if (/database space exceeded/.test(message)) return fail('refused', 'Unavailable', 'etcd is out of space');
  if (/request is too large|larger than max/.test(message)) {
    return fail('refused', 'Invalid', 'the value is larger than etcd accepts');
  }
  const refusal = refusals[name];
  if (refusal) return fail('refused', refusal);
  if (noLeader.test(message)) {
    const error = new HostlerError('Unavailable', `Cannot ${what}: etcd has no leader`, {
      cause: thrown,
      details: noLeaderDetails,
    });
    return { fate: 'unsent', error };
  }
  if (neverSent.test(message)) return fail('unsent', 'Unavailable', `etcd cannot be reached (${message})`);
  if (name === 'GRPCDeadlineExceededError') return fail('unknown', 'Timeout', 'etcd did not answer in time');
  return fail('unknown', 'Unavailable');
}
