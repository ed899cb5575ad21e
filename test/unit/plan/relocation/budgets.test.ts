import { describe, expect, it } from '@jest/globals';
import type { Container } from '../../../../src/crds/container.ts';
import {
  countBudget,
  createDisruptions,
  resolveMaxUnavailable,
} from '../../../../src/plan/relocation/budgets.ts';
import { budget, off, running } from '../../../support/relocation.ts';

const labels = { app: 'web' };
const web = (name: string, more: Parameters<typeof running>[2] = {}): Container =>
  running(name, 'a', { labels, ...more });
const unready = { conditions: [] };
const moving = (...names: string[]) =>
  new Map(names.map((name) => [`default/${name}`, { source: 'a', target: 'b' }]));

describe('resolveMaxUnavailable', () => {
  it.each([
    ['a number, as it is', 2, 10, 2],
    ['a share, rounded up', '25%', 5, 2],
    ['nothing of nothing', '50%', 0, 0],
    ['a share of none at all', '0%', 7, 0],
    ['all of them', '100%', 7, 7],
  ])('is %s', (_name, asked, expected, most) => {
    expect(resolveMaxUnavailable(asked, expected)).toBe(most);
  });
});

describe('countBudget', () => {
  it.each<[string, Container[], Map<string, { source: string; target: string }>, object]>([
    ['all that are ready', [web('a'), web('b')], moving(), { expected: 2, available: 2, allowed: 1 }],
    [
      'one that is not ready as away',
      [web('a'), web('b', { status: unready })],
      moving(),
      { expected: 2, available: 1, allowed: 0 },
    ],
    ['one that moves as away', [web('a'), web('b')], moving('b'), { expected: 2, available: 1, allowed: 0 }],
    [
      'one that is kept off as away',
      [web('a'), web('b', { status: { stoppedFor: 'Maintenance' } })],
      moving(),
      { expected: 2, available: 1, allowed: 0 },
    ],
    [
      'only those with the labels, in its namespace',
      [web('a'), running('b', 'a'), { ...web('c'), metadata: { ...web('c').metadata, namespace: 'other' } }],
      moving(),
      { expected: 1, available: 1, allowed: 1 },
    ],
    [
      'none that is to be off, or is being deleted',
      [
        { ...off('a', 'a'), metadata: web('a').metadata },
        { ...web('b'), metadata: { ...web('b').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      ],
      moving(),
      { expected: 0, available: 0, allowed: 1 },
    ],
  ])('counts %s', (_name, containers, moves, count) => {
    expect(countBudget(budget('web', labels, 1), containers, moves)).toEqual(count);
  });
});

describe('createDisruptions', () => {
  const all = [web('a'), web('b'), web('c')];

  it('lets as many go as the budget allows, and no more', () => {
    const disruptions = createDisruptions([budget('web', labels, 2)], all, moving());
    const gone = all.filter((one) => {
      const refusal = disruptions.refusal(one);
      if (refusal === undefined) disruptions.take(one);
      return refusal === undefined;
    });
    expect(gone).toHaveLength(2);
    expect(disruptions.refusal(all[2] as Container)).toEqual({
      budget: 'default/web',
      isPassing: true,
      message: 'DisruptionBudget web lets 2 of 3 be away; 2 are',
    });
  });

  it('heeds every budget that selects the container', () => {
    const budgets = [budget('many', {}, 3), budget('none', labels, 0)];
    const refusal = createDisruptions(budgets, all, moving()).refusal(all[0] as Container);
    expect(refusal).toMatchObject({ budget: 'default/none', isPassing: false });
  });

  it.each<[string, Parameters<typeof running>[2] & object, boolean]>([
    ['broken', { status: { ...unready, phase: 'Failed' } }, false],
    ['starting', { status: { ...unready, phase: 'Starting' } }, true],
  ])('knows whether one that is %s comes back by itself', (_name, more, isPassing) => {
    const disruptions = createDisruptions([budget('web', labels, 1)], [web('a'), web('b', more)], moving());
    expect(disruptions.refusal(web('a'))).toMatchObject({ isPassing });
  });

  it('lets go what is away already', () => {
    const broken = web('a', { status: unready });
    const disruptions = createDisruptions([budget('web', labels, 0)], [broken, web('b')], moving());
    expect(disruptions.refusal(broken)).toBeUndefined();
    expect(disruptions.refusal(off('c', 'a'))).toBeUndefined();
  });
});
