import { describe, expect, it } from '@jest/globals';
import { retryUntil } from '../../../src/etcd/client.ts';
import { HostlerError } from '../../../src/ports/errors.ts';

const noLeader = new HostlerError('Unavailable', 'no leader', { details: { trouble: 'NoLeader' } });
const timeout = new HostlerError('Timeout', 'did not answer in time');
const gone = new HostlerError('Unavailable', 'cannot be reached');

describe('a call that is tried until its deadline', () => {
  it('has a fifth of the time for the first try, and never more than half', () => {
    const retry = retryUntil({ timeoutMs: 1_000_000 });
    const tries = [1, 2, 3, 4].map(() => retry.attemptMs() / 1_000_000);
    expect(tries).toEqual([0.2, 0.4, 0.5, 0.5]);
  });

  it.each<[string, HostlerError[], HostlerError]>([
    ['for want of a leader, then of time: there is no leader', [noLeader, timeout], noLeader],
    ['for want of time alone: that', [timeout, timeout], timeout],
    ['for want of a leader, then because nobody is there: nobody is there', [noLeader, gone], gone],
  ])('fails %s', (_name, failures, told) => {
    const retry = retryUntil({ timeoutMs: 1_000 });
    expect(failures.map((failure) => retry.moreTelling(failure)).at(-1)).toBe(told);
  });
});
