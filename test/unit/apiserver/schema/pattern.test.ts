import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { kinds } from '../../../../src/crds/kinds.ts';
import { crdManifest } from '../../../../src/crds/manifest.ts';
import { compilePattern, matches } from '../../../../src/apiserver/schema/pattern.ts';

describe('patterns', () => {
  it.each(['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^([a-z]{1,50})*$', '(x+x+)+y'])(
    '%s is decided at once, whatever the text',
    (pattern) => {
      const startMs = performance.now();
      matches(pattern, `${'a'.repeat(5_000)}!${'x'.repeat(5_000)}`);
      expect(performance.now() - startMs).toBeLessThan(1_000);
    },
  );

  it.each([
    ['a look-ahead', '(?=a)b'],
    ['a back-reference', '(a)\\1'],
    ['repetitions without measure', '((a{1000}){1000}){1000}'],
    ['no pattern', '(a'],
  ])('with %s are refused', (_what, pattern) => {
    expect(() => compilePattern(pattern)).toThrow(SyntaxError);
  });

  const counted = [
    '^a{3}$',
    '^a{2,}$',
    '^a{0,2}$',
    '^(ab){1,2}c?$',
    '^[ab]{2}$',
    '^(a|b{2}){2}$',
    '^\\.{2}a$',
    '^a{0}b?$',
    '^a{,2}$',
    '^[{2}]$',
    'a{1,2}?b',
  ];
  it.each(counted)('%s means what it means elsewhere', (pattern) => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '{', '2'), maxLength: 8 }),
        (text) => {
          expect(matches(pattern, text)).toBe(new RegExp(pattern).test(text));
        },
      ),
    );
  });

  it('of our own kinds all run', () => {
    const patterns: string[] = [];
    JSON.stringify(kinds.map(crdManifest), (key, value: unknown) => {
      if (key === 'pattern') patterns.push(String(value));
      return value;
    });
    expect(patterns.length).toBeGreaterThan(3);
    for (const pattern of patterns) expect(() => compilePattern(pattern)).not.toThrow();
  });
});
