import { describe, expect, it } from '@jest/globals';
import {
  countedMembers,
  type KnownMembers,
  onListRead,
  onVersionSaid,
} from '../../../../src/plan/failover/known-members.ts';

const list = (version: number) => ({ version, members: [`m${version}`] });

describe('the list of members by which a node counts its peers', () => {
  it.each<[string, KnownMembers, string | undefined]>([
    ['none was read', { saidVersion: 3 }, undefined],
    ['nothing was said yet', { list: list(1) }, undefined],
    ['it is what the lease says', { list: list(3), saidVersion: 3 }, 'm3'],
    ['it is one change ahead of the lease', { list: list(4), saidVersion: 3 }, 'm4'],
    ['it is two changes ahead of the lease', { list: list(5), saidVersion: 3 }, undefined],
  ])('when %s', (_, known, expected) => {
    expect(countedMembers(known)?.[0]).toBe(expected);
  });

  it('counts again once a renewal has said what was read', () => {
    const jumped = onListRead({ list: list(1), saidVersion: 1 }, list(3));
    expect(countedMembers(jumped)).toBeUndefined();
    expect(countedMembers(onVersionSaid(jumped, 3))).toEqual(['m3']);
  });

  it('never goes back to an older list', () => {
    const known = { list: list(3), saidVersion: 3 };
    expect(onListRead(known, list(2))).toBe(known);
  });

  it('does not count after a renewal that said nothing', () => {
    expect(countedMembers(onVersionSaid({ list: list(3), saidVersion: 3 }, undefined))).toBeUndefined();
  });
});
