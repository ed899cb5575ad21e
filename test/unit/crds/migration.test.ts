import { describe, expect, it } from '@jest/globals';
import { type Migration, migrationKind } from '../../../src/crds/migration.ts';

const migration = (spec: Partial<Migration['spec']> = {}): Migration => ({
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Migration',
  metadata: { name: 'web-1', namespace: 'default' },
  spec: { container: 'web', ...spec },
});
const faults = (spec: Partial<Migration['spec']>, old?: Partial<Migration['spec']>) =>
  migrationKind
    .validate?.(migration(spec), old === undefined ? undefined : migration(old))
    .map(({ field }) => field);

describe('a Migration', () => {
  it.each([
    ['needs nothing but a container', {}, []],
    ['may say all', { maxPause: '2s', deadline: '5m', bandwidth: '50Mi' }, []],
    ['may not pause for no time at all', { maxPause: '0s' }, ['spec.maxPause']],
    ['may not end before it begins', { deadline: '0m' }, ['spec.deadline']],
    ['may not be throttled to a standstill', { bandwidth: 1 }, ['spec.bandwidth']],
  ])('%s', (_, spec, expected) => {
    expect(faults(spec)).toEqual(expected);
  });

  it.each([
    ['the same is no change', { targetNode: 'host-2' }, { targetNode: 'host-2' }, []],
    ['another target is one', { targetNode: 'host-2' }, { targetNode: 'host-3' }, ['spec']],
    ['a field less is one', {}, { maxPause: '2s' }, ['spec']],
  ])('never changes: %s', (_, now, old, expected) => {
    expect(faults(now, old)).toEqual(expected);
  });
});
