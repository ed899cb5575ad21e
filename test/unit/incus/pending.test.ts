import { describe, expect, it } from '@jest/globals';
import { pendingAfter } from '../../../src/incus/pending.ts';
import { PENDING_KEY } from '../../../src/incus/settings.ts';

const START = '2026-01-01T00:00:00Z';
const noted = (note: string | undefined) => (note === undefined ? {} : { [PENDING_KEY]: note });

describe('pendingAfter', () => {
  it.each([
    ['nothing changes', { 'security.nesting': 'true' }, { 'security.nesting': 'true' }, []],
    ['a limit changes, which holds at once', { 'limits.cpu': '1' }, { 'limits.cpu': '2' }, []],
    ['a setting is added', {}, { 'security.nesting': 'true' }, ['security.nesting']],
    ['a setting is taken away', { 'raw.lxc': 'x' }, {}, ['raw.lxc']],
    ["the daemon's own notes differ", { 'volatile.a': '1', 'image.os': 'x' }, {}, []],
  ])('when %s', (_case, current, desired, keys) => {
    expect(pendingAfter(current, desired, START).keys).toEqual(keys);
  });

  it('remembers what is pending until the instance was started again', () => {
    const desired = { 'security.nesting': 'true' };
    const first = pendingAfter({}, desired, START);
    const current = { ...desired, ...noted(first.note) };
    expect(pendingAfter(current, desired, START)).toEqual(first);
    expect(pendingAfter(current, desired, '2026-01-02T00:00:00Z')).toEqual({ note: undefined, keys: [] });
  });

  it('forgets what is set back to the value of the last start', () => {
    const { note } = pendingAfter({ 'raw.lxc': 'a' }, { 'raw.lxc': 'b' }, START);
    expect(pendingAfter({ 'raw.lxc': 'b', ...noted(note) }, { 'raw.lxc': 'a' }, START).keys).toEqual([]);
    expect(pendingAfter({ 'raw.lxc': 'b', ...noted(note) }, { 'raw.lxc': 'c' }, START).keys).toEqual([
      'raw.lxc',
    ]);
  });

  it('does not trip over a note that somebody has written over', () => {
    expect(pendingAfter({ [PENDING_KEY]: 'no JSON' }, {}, START)).toEqual({ note: undefined, keys: [] });
  });
});
