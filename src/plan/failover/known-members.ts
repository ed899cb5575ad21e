/**
 * By which list of members a node counts while it asks its peers. The leader relies on what the node's lease says of it: a node
 * whose lease says *m* uses *m* or *m* + 1 (membership.ts). So a list that is further ahead (the node was away while the list
 * changed more than once, or it had none) counts only once a renewal that says so has succeeded. Between two renewals of a node
 * that holds its lease the list moves on by one at the most, since the leader waits for it.
 *
 * It outlives the agent: a list has to be on the disk before it is used or said.
 */
import type { MemberList } from './membership.ts';

export interface KnownMembers {
  /** The newest list that was read; renewals say its version. */
  list?: MemberList;
  /** The version in the last renewal that is known to have succeeded. */
  saidVersion?: number;
}

/** @returns the very same when the list is not newer */
export function onListRead(known: KnownMembers, list: MemberList): KnownMembers {
  return known.list !== undefined && list.version <= known.list.version ? known : { ...known, list };
}

/** A renewal that said `version` has succeeded. @returns the very same when that is nothing new */
export function onVersionSaid(known: KnownMembers, version: number | undefined): KnownMembers {
  if (known.saidVersion === version) return known;
  const { saidVersion: _, ...rest } = known;
  return version === undefined ? rest : { ...rest, saidVersion: version };
}

/** @returns the members; undefined: the node must not go by the word of its peers */
export function countedMembers({ list, saidVersion }: KnownMembers): readonly string[] | undefined {
  if (list === undefined || saidVersion === undefined) return undefined;
  return list.version > saidVersion + 1 ? undefined : list.members;
}
