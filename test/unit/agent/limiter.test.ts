import { describe, expect, it } from '@jest/globals';
import { createLimiter } from '../../../src/agent/containers/limiter.ts';
import { keyOfInstance, parseContainerKey } from '../../../src/agent/containers/keys.ts';
import { settle } from '../../support/fake-clock.ts';

describe('createLimiter', () => {
  it('runs no more than its limit at once, in order, whatever fails or is aborted', async () => {
    const limit = createLimiter(2);
    const never = new AbortController().signal;
    const stop = new AbortController();
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const started: number[] = [];
    const runs = gates.map((gate, i) =>
      limit
        .run(i === 2 ? stop.signal : never, async () => {
          started.push(i);
          await gate.promise;
          return i;
        })
        .catch((error: unknown) => error),
    );
    await settle();
    expect(started).toEqual([0, 1]);
    expect(limit.running()).toBe(2);
    stop.abort(new Error('stopped'));
    gates[0]?.reject(new Error('failed'));
    await settle();
    expect(started).toEqual([0, 1, 3]);
    for (const gate of gates) gate.resolve();
    const results = await Promise.all(runs);
    expect(results).toEqual([expect.any(Error), 1, expect.objectContaining({ message: 'stopped' }), 3, 4]);
    expect(started).toEqual([0, 1, 3, 4]);
    expect(limit.running()).toBe(0);
  });

  it('runs nothing for a signal that is aborted already', async () => {
    await expect(createLimiter(1).run(AbortSignal.abort(), async () => 1)).rejects.toThrow('aborted');
  });
});

describe('keys of containers', () => {
  it.each([
    ['web--default', 'default/web'],
    ['my-web--team-a', 'team-a/my-web'],
    ['web', undefined],
    ['--default', undefined],
    ['web--', undefined],
  ])('instance %s belongs to %s', (instance, key) => {
    expect(keyOfInstance(instance)).toBe(key);
    expect(parseContainerKey(key ?? '')?.instance).toBe(key === undefined ? undefined : instance);
  });

  it.each(['', 'web', 'a/b/c', '/web'])('%p is no key', (key) => {
    expect(parseContainerKey(key)).toBeUndefined();
  });
});
