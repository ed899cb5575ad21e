import { describe, expect, it } from '@jest/globals';
import { apiErrorOf } from '../../../../src/apiserver/registry/storage-faults.ts';
import { ApiError, type Status } from '../../../../src/apiserver/status.ts';
import { type ErrorCode, HostlerError } from '../../../../src/ports/errors.ts';

const statusOf = (error: unknown): Status => {
  const converted = apiErrorOf(error);
  if (converted instanceof ApiError) return converted.status;
  throw new Error('no ApiError');
};
const noLeader = new HostlerError('Unavailable', 'Cannot write /x: etcd has no leader', {
  details: { trouble: 'NoLeader' },
});

describe('a failure of the store', () => {
  it.each<[ErrorCode, number, string]>([
    ['Expired', 410, 'Expired'],
    ['Timeout', 504, 'Timeout'],
    ['Aborted', 504, 'Timeout'],
    ['Unavailable', 503, 'ServiceUnavailable'],
    ['TooManyRequests', 503, 'ServiceUnavailable'],
    ['Invalid', 413, 'RequestEntityTooLarge'],
    ['Internal', 500, 'InternalError'],
  ])('%s is %d %s', (code, status, reason) => {
    expect(statusOf(new HostlerError(code, 'why'))).toMatchObject({ code: status, reason });
  });

  it('that may be over in a moment says when to come back', () => {
    expect(statusOf(new HostlerError('Unavailable', 'why')).details).toEqual({ retryAfterSeconds: 1 });
  });

  it('for want of a leader says what goes on, and not to come back at once', () => {
    const status = statusOf(noLeader);
    expect(status).toMatchObject({ code: 503, reason: 'ServiceUnavailable' });
    expect(status.message).toMatch(/^etcd has no leader, .* resourceVersion=0 .* containers run on$/);
    expect(status.details?.retryAfterSeconds).toBeUndefined();
  });

  it('for want of a leader after a write was sent does not say that nothing was done', () => {
    const unproven = new HostlerError('Timeout', 'Cannot tell the outcome of: write /x', { cause: noLeader });
    const status = statusOf(unproven);
    expect(status).toMatchObject({ code: 504, reason: 'Timeout' });
    expect(status.message).toMatch(
      /^Timeout: whether the request was carried out is not known: etcd has no leader/,
    );
  });
});
