import { describe, expect, it } from '@jest/globals';
import { readGoldens, replay } from './golden.ts';

const goldens = readGoldens();

describe('the golden traces', () => {
  it('are ten', () => {
    expect(goldens).toHaveLength(10);
  });

  // What is another one on purpose is written by: npm run golden
  it.each(goldens.map((golden) => [golden.name, golden] as const))(
    '%s happens as it is kept',
    (_, golden) => {
      expect(golden.comment.length).toBeGreaterThan(100);
      const { text, violations } = replay(golden);
      expect(violations).toEqual([]);
      expect(text).toBe(golden.text);
    },
  );
});
