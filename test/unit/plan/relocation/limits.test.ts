import { describe, expect, it } from '@jest/globals';
import { createMoveLimits, DEFAULT_LIMITS } from '../../../../src/plan/relocation/limits.ts';
import type { MovePart } from '../../../../src/plan/relocation/moves.ts';

const move = (source: string, target: string | undefined, part: MovePart = 'Copying') => ({
  source,
  target,
  part,
});

const FOUR: MovePart[] = ['Switching', 'Switching', 'Switching', 'Switching'];

describe('createMoveLimits', () => {
  it('has defaults for whatever the policy leaves out', () => {
    const limits = createMoveLimits({ incomingPerNode: 1 }, [move('a', 'b')]);
    expect([limits.mayLeave('a'), limits.mayEnter('b'), limits.mayEnter('a')]).toEqual([true, false, true]);
    limits.take(move('a', 'c'));
    expect(limits.mayLeave('a')).toBe(false);
  });

  it('counts what has no target yet where it is', () => {
    const limits = createMoveLimits({ outgoingPerNode: 1 }, [move('a', undefined)]);
    expect([limits.mayLeave('a'), limits.mayLeave('b')]).toEqual([false, true]);
  });

  it('counts nothing that has arrived', () => {
    const limits = createMoveLimits({ outgoingPerNode: 1, incomingPerNode: 1, cluster: 1 }, [
      move('a', 'b', 'Arrived'),
    ]);
    expect([limits.mayLeave('a'), limits.mayEnter('b')]).toEqual([true, true]);
  });

  it.each<[string, MovePart[], boolean]>([
    ['two that are copied fill it', ['Copying', 'Copying'], false],
    ['four that switch over leave it empty', FOUR, true],
    ['and one that is copied beside them does not fill it', [...FOUR, 'Copying'], true],
    ['but two do', ['Copying', ...FOUR, 'Copying'], false],
    ['the fifth that switches over counts', [...FOUR, 'Switching', 'Copying'], false],
    ['and so does the sixth', [...FOUR, 'Switching', 'Switching'], false],
  ])('of a limit of two: %s', (_, parts, hasRoom) => {
    const limits = createMoveLimits(
      undefined,
      parts.map((part) => move('a', 'b', part)),
    );
    expect([limits.mayLeave('a'), limits.mayEnter('b')]).toEqual([hasRoom, hasRoom]);
  });

  it('has a limit for the cluster as a whole', () => {
    const many = Array.from({ length: DEFAULT_LIMITS.cluster }, (_, index) => move(`s${index}`, `t${index}`));
    expect(createMoveLimits(undefined, many).mayLeave('other')).toBe(false);
    expect(createMoveLimits(undefined, many.slice(1)).mayLeave('other')).toBe(true);
  });
});
