import { describe, expect, it } from '@jest/globals';
import {
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCCancelledError,
  GRPCDeadlineExceededError,
  GRPCFailedPreconditionError,
  GRPCInternalError,
  GRPCInvalidArgumentError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnavailableError,
  GRPCUnknownError,
} from 'etcd3';
import { etcdFailure } from '../../../src/etcd/errors.ts';
import { saysNoLeader } from '../../../src/ports/storage.ts';

describe('a failed call to etcd', () => {
  it('for want of a leader did nothing, and says so whatever is made of it', () => {
    const { fate, error } = etcdFailure(
      new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: no leader'),
      'read /x',
    );
    expect([fate, error.code, error.message]).toEqual([
      'unsent',
      'Unavailable',
      'Cannot read /x: etcd has no leader',
    ]);
    expect(saysNoLeader(new Error('later', { cause: error }))).toBe(true);
    expect(saysNoLeader(etcdFailure(new GRPCUnknownError('2 UNKNOWN: what'), 'read /x').error)).toBe(false);
  });

  it.each([
    [
      'unsent',
      'Unavailable',
      new GRPCUnavailableError('14 UNAVAILABLE: No connection established. Last error: x'),
    ],
    ['unsent', 'Unavailable', new GRPCUnavailableError('14 UNAVAILABLE: Channel closed before call started')],
    ['unknown', 'Unavailable', new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped')],
    ['unknown', 'Unavailable', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: request timed out')],
    ['unknown', 'Unavailable', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: leader changed')],
    ['unknown', 'Unavailable', new GRPCInternalError('13 INTERNAL: Received RST_STREAM with code 2')],
    ['unknown', 'Unavailable', new GRPCCancelledError('1 CANCELLED: Call cancelled')],
    ['unknown', 'Unavailable', new GRPCUnknownError('2 UNKNOWN: what')],
    ['unknown', 'Timeout', new GRPCDeadlineExceededError('4 DEADLINE_EXCEEDED: Deadline exceeded')],
    [
      'refused',
      'Expired',
      new GRPCOutOfRangeError('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted'),
    ],
    [
      'refused',
      'Invalid',
      new GRPCOutOfRangeError('11 OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision'),
    ],
    [
      'refused',
      'Invalid',
      new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: request is too large'),
    ],
    [
      'refused',
      'Unavailable',
      new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded'),
    ],
    [
      'refused',
      'TooManyRequests',
      new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: too many requests'),
    ],
    [
      'refused',
      'Conflict',
      new GRPCFailedPreconditionError('9 FAILED_PRECONDITION: etcdserver: lease already exists'),
    ],
    ['refused', 'NotFound', new EtcdLeaseInvalidError('7')],
    ['refused', 'Forbidden', new EtcdPermissionDeniedError('etcdserver: permission denied')],
    ['refused', 'Unauthorized', new EtcdInvalidAuthTokenError('etcdserver: invalid auth token')],
  ])('is %s and %s: %s', (fate, code, thrown) => {
    const failure = etcdFailure(thrown, 'read /x');
    expect([failure.fate, failure.error.code]).toEqual([fate, code]);
    expect(failure.error.message).toMatch(/^Cannot read \/x: /);
    expect(failure.error.cause).toBe(thrown);
  });
});
