import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { BREAKAGES, breakageOf } from '../../faults/breakages.ts';

/** They are built late, by the last stage of `npm test`: whoever changes what they patch is told here, at once. */
describe('a breakage on purpose', () => {
  it.each(BREAKAGES)('%s is a patch of what the sources have exactly once', (name) => {
    for (const { file, from, to } of breakageOf(name).changes) {
      expect(readFileSync(file, 'utf8').split(from)).toHaveLength(2);
      expect(to).not.toBe(from);
    }
  });
});
