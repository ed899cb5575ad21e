import { isDeepStrictEqual } from 'node:util';
import { GROUP, NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { MEMBERS_CONFIG_MAP } from '../../crds/lease.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { Attributes, ResourceAttributes } from './attributes.ts';
import { ownReports, transferSecrets } from './node-migrations.ts';
import type { Authorizer, Change, Decision, Restriction } from './authorizer.ts';
import { NODE_USER_PREFIX, NODES_GROUP } from './user.ts';

/**
 * What the agent of a node may do, and nothing more: read what it needs to decide, and write about itself and about the
 * containers that were placed on it. A host that was broken into must not be able to harm another.
 */
export const nodeAuthorizer: Authorizer = {
  authorize(attributes) {
    const node = nodeNameOf(attributes);
    if (node === undefined || !attributes.isResource) return denied('');
    const rule = RULES[`${attributes.resource}.${attributes.group}`];
    return rule === undefined ? denied('') : rule(attributes, node);
  },
};

type Rule = (attributes: ResourceAttributes, node: string) => Decision;

const READS = new Set(['get', 'list', 'watch']);
const ALLOWED: Decision = { allowed: true };
const denied = (reason: string): Decision => ({ allowed: false, reason });

const RULES: Record<string, Rule> = {
  [`nodes.${GROUP}`]: (attributes, node) => {
    if (READS.has(attributes.verb)) return ALLOWED;
    return writesOwn(attributes, node, 'a node can only write its own Node');
  },
  [`storagepools.${GROUP}`]: ({ verb }) => (READS.has(verb) ? ALLOWED : denied('')),
  [`clusterpolicies.${GROUP}`]: ({ verb }) => (READS.has(verb) ? ALLOWED : denied('')),
  [`containers.${GROUP}`]: ({ verb, subresource }, node) => {
    if (READS.has(verb)) return ALLOWED;
    if (verb !== 'update' && verb !== 'patch') return denied('');
    return { allowed: true, restriction: subresource === 'status' ? ownStatus(node) : ownFinalizers(node) };
  },
  [`migrations.${GROUP}`]: ({ verb, subresource }, node) => {
    if (READS.has(verb)) return ALLOWED;
    if (subresource !== 'status' || verb !== 'patch') return denied('');
    return { allowed: true, restriction: ownReports(node) };
  },
  'secrets.': transferSecrets,
  'leases.coordination.k8s.io': (attributes, node) => {
    const reason = `a node can only use its own Lease in namespace ${NODE_LEASE_NAMESPACE}`;
    if (attributes.namespace !== NODE_LEASE_NAMESPACE) return denied(reason);
    if (READS.has(attributes.verb)) return attributes.name === node ? ALLOWED : denied(reason);
    return writesOwn(attributes, node, reason);
  },
  'configmaps.': ({ verb, namespace, name }) =>
    READS.has(verb) && namespace === NODE_LEASE_NAMESPACE && name === MEMBERS_CONFIG_MAP
      ? ALLOWED
      : denied('a node can only read the list of the nodes that count'),
  // Its uid tells one cluster from another.
  'namespaces.': ({ verb, name }) => (verb === 'get' && name === NODE_LEASE_NAMESPACE ? ALLOWED : denied('')),
  // After a restart an agent goes on counting on the Event that it wrote before.
  'events.': ({ verb }) => (EVENT_VERBS.has(verb) ? ALLOWED : denied('')),
};

function nodeNameOf({ user }: Attributes): string | undefined {
  if (!user.groups.includes(NODES_GROUP) || !user.name.startsWith(NODE_USER_PREFIX)) return undefined;
  return user.name.slice(NODE_USER_PREFIX.length);
}

function writesOwn({ verb, name }: ResourceAttributes, node: string, reason: string): Decision {
  if (verb === 'create') return { allowed: true, restriction: createsOnly(node, reason) };
  if (verb !== 'update' && verb !== 'patch') return denied('');
  return name === node ? ALLOWED : denied(reason);
}

/** The URL of a create does not say the name; the object does. */
const createsOnly = (node: string, reason: string): Restriction => ({
  refuse: (_existing, change) =>
    change.type === 'create' && change.object.metadata.name === node ? undefined : reason,
});

const EVENT_VERBS = new Set(['get', 'create', 'patch', 'update']);

const NOT_OURS = 'a node can only write about the containers that are placed on it';

const ownStatus = (node: string): Restriction => ({
  refuse(existing, change) {
    if (!isPlacedOn(existing, node)) return NOT_OURS;
    const old = statusOf(existing);
    const next = nextStatus(existing, change);
    if (next === undefined) return 'a node can patch a status only with a merge patch';
    for (const field of ['nodeName', 'epoch', 'term', 'migration', 'drainedFrom', 'stoppedFor']) {
      if (!isDeepStrictEqual(next[field], old[field])) return `a node cannot change status.${field}`;
    }
    return undefined;
  },
});

const ownFinalizers = (node: string): Restriction => ({
  refuse(existing, change) {
    if (!isPlacedOn(existing, node)) return NOT_OURS;
    return touchesOnlyFinalizers(existing as KubeObject, change)
      ? undefined
      : 'a node can only change metadata.finalizers of a container';
  },
});

const isPlacedOn = (container: KubeObject | undefined, node: string): boolean =>
  statusOf(container)['nodeName'] === node;

const statusOf = (object: KubeObject | undefined): Record<string, unknown> =>
  (object as { status?: Record<string, unknown> } | undefined)?.status ?? {};

/** The fields of the status after `change`, as far as they are at the top; undefined when that cannot be told. */
function nextStatus(existing: KubeObject | undefined, change: Change): Record<string, unknown> | undefined {
  if (change.type !== 'patch') return statusOf(change.object);
  if (change.patchType !== 'merge' || !isMap(change.body)) return undefined;
  const { status } = change.body;
  if (status === undefined) return statusOf(existing);
  if (!isMap(status)) return {};
  const merged: Record<string, unknown> = { ...statusOf(existing), ...status };
  // A merge patch removes what it names with null.
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

/** Fields by which a write says which object and version it means. */
const NAMING = new Set(['name', 'namespace', 'uid', 'resourceVersion', 'finalizers']);
/** Fields that the server keeps by itself, whatever an update says about them. */
const KEPT_BY_SERVER = ['resourceVersion', 'managedFields', 'finalizers'];

function touchesOnlyFinalizers(existing: KubeObject, change: Change): boolean {
  if (change.type === 'patch') {
    if (change.patchType !== 'merge' || !isMap(change.body)) return false;
    const { metadata = {}, apiVersion: _apiVersion, kind: _kind, ...rest } = change.body;
    if (Object.keys(rest).length > 0 || !isMap(metadata)) return false;
    return Object.keys(metadata).every((field) => NAMING.has(field));
  }
  return isDeepStrictEqual(comparable(existing), comparable(change.object));
}

function comparable(object: KubeObject): object {
  const metadata = Object.entries(object.metadata).filter(([field]) => !KEPT_BY_SERVER.includes(field));
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown };
  return { ...rest, metadata: Object.fromEntries(metadata) };
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
