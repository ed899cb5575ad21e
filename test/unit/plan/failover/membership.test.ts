import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  formatMembers,
  mayCountTogether,
  type MemberLease,
  type MemberList,
  parseMembers,
  planMembers,
} from '../../../../src/plan/failover/membership.ts';

const held = (node: string, uses?: number): MemberLease => ({ node, isHeld: true, uses });
const revoked = (node: string, uses?: number): MemberLease => ({ node, isHeld: false, uses });

describe('planMembers', () => {
  it.each([
    ['nothing while nobody has a lease', { list: undefined, nodes: ['a'], leases: [] }, undefined],
    [
      'everybody in the first list',
      { list: undefined, nodes: ['a', 'b'], leases: [held('b'), revoked('a')] },
      { version: 1, members: ['a', 'b'] },
    ],
    [
      'a list that was lost anew, far from what is in use',
      { list: undefined, nodes: ['a', 'b'], leases: [held('a', 7), held('b', 6)] },
      { version: 9, members: ['a', 'b'] },
    ],
    [
      'one new node at a time',
      {
        list: { version: 3, members: ['a'] },
        nodes: ['a', 'b', 'c'],
        leases: [held('a', 3), revoked('b'), revoked('c')],
      },
      { version: 4, members: ['a', 'b'] },
    ],
    [
      'nothing while a holder uses an older list',
      { list: { version: 3, members: ['a'] }, nodes: ['a', 'b'], leases: [held('a', 2), revoked('b')] },
      undefined,
    ],
    [
      'a lost node still counts',
      {
        list: { version: 3, members: ['a', 'b'] },
        nodes: ['a', 'b'],
        leases: [held('a', 3), revoked('b', 1)],
      },
      undefined,
    ],
    [
      'a node that was deleted counts until its lease is revoked',
      { list: { version: 3, members: ['a', 'b'] }, nodes: ['a'], leases: [held('a', 3), held('b', 3)] },
      undefined,
    ],
    [
      'a node that was deleted and revoked goes',
      { list: { version: 3, members: ['a', 'b'] }, nodes: ['a'], leases: [held('a', 3), revoked('b', 3)] },
      { version: 4, members: ['a'] },
    ],
    [
      'a member whose lease alone was deleted stays',
      { list: { version: 3, members: ['a', 'b'] }, nodes: ['a', 'b'], leases: [held('a', 3)] },
      undefined,
    ],
  ])('writes %s', (_, facts, expected) => {
    expect(planMembers(facts)).toEqual(expected);
  });

  it('never differs from the list before by more than one node, and ends', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'));
    fc.assert(
      fc.property(names, names, names, (before, nodes, leased) => {
        let list: MemberList = { version: 1, members: before.toSorted() };
        for (let round = 0; round < 12; round += 1) {
          const leases = leased.map((node) => held(node, list.version));
          const next = planMembers({ list, nodes, leases });
          if (next === undefined) return;
          const changed = [
            ...next.members.filter((name) => !list.members.includes(name)),
            ...list.members.filter((name) => !next.members.includes(name)),
          ];
          expect(changed).toHaveLength(1);
          expect(next.version).toBe(list.version + 1);
          list = next;
        }
        throw new Error('it never ends');
      }),
    );
  });
});

describe('the list in its ConfigMap', () => {
  it('comes back as it was written', () => {
    const list = { version: 3, members: ['a', 'b'] };
    expect(parseMembers(formatMembers(list))).toEqual(list);
  });

  it.each([
    [undefined],
    [{}],
    [{ version: '0', members: '[]' }],
    [{ version: '1', members: '{}' }],
    [{ version: '1', members: '[1]' }],
    [{ version: 'x', members: '[]' }],
  ])('is none when it reads %j', (data) => {
    expect(parseMembers(data as Record<string, string> | undefined)).toBeUndefined();
  });

  it('lets a leader fence only who counts by nearly the same', () => {
    expect([undefined, 1, 2, 3, 4].map((uses) => mayCountTogether(3, uses))).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});
