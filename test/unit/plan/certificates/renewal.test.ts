import { describe, expect, it } from '@jest/globals';
import { assert as check, integer, property, stringMatching } from 'fast-check';
import {
  endsSoon,
  pauseAfterMs,
  renewAtMs,
  retryAfterMs,
} from '../../../../src/plan/certificates/renewal.ts';

const DAY_MS = 86_400_000;
const year = { notBeforeMs: 0, notAfterMs: 365 * DAY_MS };

describe('renewAtMs', () => {
  it.each([
    ['the first of many', '00000000', 219 * DAY_MS],
    ['the last of many', 'ffffffff', 255.5 * DAY_MS],
    ['one whose fingerprint says nothing', '', 219 * DAY_MS],
  ])('%s', (_what, fingerprint, expected) => {
    expect(renewAtMs(year, fingerprint)).toBeCloseTo(expected, -2);
  });

  it('is always in the life of the certificate, with a third of it left, and always the same', () => {
    check(
      property(
        integer({ min: 0, max: 2e12 }),
        integer({ min: 1_000, max: 1e12 }),
        stringMatching(/^[0-9a-f]{64}$/),
        (notBeforeMs, lifeMs, fingerprint) => {
          const life = { notBeforeMs, notAfterMs: notBeforeMs + lifeMs };
          const at = renewAtMs(life, fingerprint);
          expect((at - notBeforeMs) / lifeMs).toBeGreaterThanOrEqual(0.599);
          expect((at - notBeforeMs) / lifeMs).toBeLessThanOrEqual(0.701);
          expect(renewAtMs(life, fingerprint)).toBe(at);
        },
      ),
    );
  });
});

it.each([
  ['much is left', 0, 600_000],
  ['three hours are left', 365 * DAY_MS - 3 * 3_600_000, 216_000],
  ['seconds are left', 365 * DAY_MS - 5_000, 10_000],
  ['nothing is left', 366 * DAY_MS, 600_000],
])('retryAfterMs when %s', (_what, nowMs, expected) => {
  expect(retryAfterMs(year, nowMs)).toBe(expected);
});

it.each([
  [0.5, false],
  [0.74, false],
  [0.76, true],
  [1.1, true],
])('endsSoon after %d of its life: %s', (share, expected) => {
  expect(endsSoon(year, year.notAfterMs * share)).toBe(expected);
});

it.each([
  ['a year', 365 * DAY_MS, 3_600_000],
  ['ten minutes', 600_000, 30_000],
  ['a minute', 60_000, 10_000],
])('pauseAfterMs of a life of %s', (_what, lifeMs, expected) => {
  expect(pauseAfterMs({ notBeforeMs: 5, notAfterMs: 5 + lifeMs })).toBe(expected);
});
