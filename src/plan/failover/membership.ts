/**
 * Which nodes count towards majorities: the storm brake's and, on the nodes, the witnesses'. Both sides must count
 * (nearly) the same ones: two lists that differ by one node have no two disjoint majorities, two that differ by more may. So
 * the list changes by one node at a time, and the next change waits until every node that holds a lease has said in its lease
 * that it uses the present one. A node uses a list as soon as it has read it, and says so with its next renewal.
 */
export interface MemberList {
  /** Grows with each change. */
  version: number;
  /** Names of nodes, sorted. */
  members: readonly string[];
}

/** What the leader sees of a node's lease. */
export interface MemberLease {
  node: string;
  isHeld: boolean;
  /** The version of the list that the node uses; undefined: none. */
  uses: number | undefined;
}

export interface MembershipFacts {
  /** undefined: there is none. */
  list: MemberList | undefined;
  /** Names of the Nodes that are there and not being deleted. */
  nodes: readonly string[];
  leases: readonly MemberLease[];
}

/**
 * The list to be written now. Nodes that have a lease are wanted; one whose Node object is gone is not, once it holds no lease.
 * @returns undefined when there is nothing to change, or somebody has to catch up first
 */
export function planMembers({ list, nodes, leases }: MembershipFacts): MemberList | undefined {
  const known = new Set(nodes);
  const withLease = leases.filter(({ node, isHeld }) => known.has(node) || isHeld).map(({ node }) => node);
  const wanted = [...new Set(withLease)].sort();
  if (list === undefined) return wanted.length === 0 ? undefined : firstList(wanted, leases);
  if (leases.some(({ isHeld, uses }) => isHeld && uses !== list.version)) return undefined;
  const present = new Set(list.members);
  const gone = list.members.find((name) => !known.has(name) && !wanted.includes(name));
  const added = wanted.find((name) => !present.has(name));
  if (added !== undefined) return { version: list.version + 1, members: [...list.members, added].sort() };
  if (gone === undefined) return undefined;
  return { version: list.version + 1, members: list.members.filter((name) => name !== gone) };
}

/** Far from every version that a node may still use, so that no node is fenced before it uses this one. */
function firstList(members: readonly string[], leases: readonly MemberLease[]): MemberList {
  const used = leases.flatMap(({ uses }) => (uses === undefined ? [] : [uses]));
  return { version: used.length === 0 ? 1 : Math.max(...used) + 2, members };
}

/**
 * Whether a leader that counts by `version` may fence by time a node that uses `uses`: their lists differ by one change at
 * the most. A node without a list never goes by the word of others.
 */
export function mayCountTogether(version: number, uses: number | undefined): boolean {
  return uses === undefined || uses === version || uses === version - 1;
}

/** @returns undefined when `data` of the ConfigMap is not a list that we wrote */
export function parseMembers(data: Readonly<Record<string, string>> | undefined): MemberList | undefined {
  const version = Number(data?.['version']);
  const members = parsed(data?.['members']);
  if (!Number.isSafeInteger(version) || version < 1 || !isNames(members)) return undefined;
  return { version, members };
}

export function formatMembers({ version, members }: MemberList): Record<string, string> {
  return { version: String(version), members: JSON.stringify(members) };
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
