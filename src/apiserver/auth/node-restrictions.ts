import { isDeepStrictEqual } from 'node:util';
import { NODE_SIGNER, requestPrefix } from '../../crds/certificate-signing-request.ts';
import { FENCED_BY_ANNOTATION, HOST_FINALIZER, HOST_LABEL } from '../../crds/kind.ts';
import { LOSSES_ANNOTATION, REVOKED_BY_ANNOTATION } from '../../crds/lease.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { Change, Restriction } from './authorizer.ts';

/**
 * What a node may change of the objects that it may write. Whatever people or the leader say in them stays as it is: the
 * placement, the term, the taints, what proves that the host was fenced.
 */

/** The URL of a create does not say the name; the object does. */
export const newNode = (node: string, reason: string): Restriction => ({
  refuse(_existing, change) {
    if (change.type !== 'create' || change.object.metadata.name !== node) return reason;
    if (Object.keys(mapOf(change.object, 'spec')).length > 0) return 'a node cannot set the spec of its Node';
    return refuseMetadata(change.object);
  },
});

export const newCertificateRequest = (node: string, reason: string): Restriction => ({
  refuse(_existing, change) {
    if (change.type !== 'create') return reason;
    const { object } = change;
    // Not there when it is to be made up from generateName.
    const { name } = object.metadata as { name?: string };
    const isOwn = name?.startsWith(requestPrefix(node)) === true;
    if (!isOwn || mapOf(object, 'spec')['signerName'] !== NODE_SIGNER) return reason;
    return refuseMetadata(object);
  },
});

/** A lease that nobody holds: the leader gives the first term. */
export const newLease = (node: string, reason: string): Restriction => ({
  refuse(_existing, change) {
    if (change.type !== 'create' || change.object.metadata.name !== node) return reason;
    return (
      leaseChange({ metadata: { name: node } } as KubeObject, change.object) ?? refuseMetadata(change.object)
    );
  },
});

/** Renewing it, and asking for it. Who holds it, and under what term, is the leader's word. */
export const ownLease: Restriction = {
  refuse: (existing, change) =>
    change.type === 'update' && existing !== undefined
      ? (leaseChange(existing, change.object) ?? leaseMetadata(existing, change.object))
      : 'a node can only update its Lease',
};

/** The labels by which its host is found (agents before 0.1 did not set them), and the end of the word that its host is off. */
export const ownLabelsAndWord = (node: string): Restriction => ({
  refuse(_existing, change) {
    const only =
      'a node can only patch the labels of its Node that say its name, and take back the word that its host is off';
    if (change.type !== 'patch' || change.patchType !== 'merge' || !isMap(change.body)) return only;
    const { metadata, apiVersion: _apiVersion, kind: _kind, ...rest } = change.body;
    if (Object.keys(rest).length > 0 || !isMap(metadata)) return only;
    const { labels = {}, annotations = {}, ...others } = metadata;
    const isNaming = Object.keys(others).every((field) => NAMING.has(field));
    const isName =
      isMap(labels) && Object.entries(labels).every(([key, value]) => NAME_LABELS.has(key) && value === node);
    const isWord =
      isMap(annotations) &&
      Object.entries(annotations).every(([key, value]) => key === FENCED_BY_ANNOTATION && value === null);
    return isNaming && isName && isWord ? undefined : only;
  },
});

/** The leader says whether the node is heard of, fenced, and to be avoided. */
export const ownNodeStatus: Restriction = {
  refuse(existing, change) {
    const next = nextStatus(existing, change);
    if (next === undefined) return ONLY_MERGE;
    return changed(statusOf(existing), next, {
      fields: ['taints', 'drain'],
      conditions: ['LeaseValid', 'Fenced', 'Drained'],
    });
  },
};

export const ownStatus = (node: string): Restriction => ({
  refuse(existing, change) {
    if (!isPlacedOn(existing, node)) return NOT_OURS;
    const next = nextStatus(existing, change);
    if (next === undefined) return ONLY_MERGE;
    const fields = ['nodeName', 'epoch', 'term', 'lostFrom', 'migration', 'drainedFrom', 'stoppedFor'];
    return changed(statusOf(existing), next, { fields, conditions: ['Scheduled'] });
  },
});

/** The one that holds it until the host is clear. */
export const ownFinalizers = (node: string): Restriction => ({
  refuse(existing, change) {
    if (existing === undefined || !isPlacedOn(existing, node)) return NOT_OURS;
    const left = (existing.metadata.finalizers ?? []).filter((name) => name !== HOST_FINALIZER);
    return touchesOnlyFinalizers(existing, change) && isDeepStrictEqual(nextFinalizers(change), left)
      ? undefined
      : `a node can only remove the finalizer ${HOST_FINALIZER} of a container`;
  },
});

/** Events that it has written itself. */
export const ownEvent = (node: string): Restriction => ({
  refuse(existing, change) {
    const reason = 'a node can only write Events of its own, with itself as source.host';
    const isOwn = (event: unknown): boolean => mapOf(event, 'source')['host'] === node;
    if (change.type === 'create') return isOwn(change.object) ? undefined : reason;
    if (change.type !== 'patch' || change.patchType !== 'merge' || !isMap(change.body)) return reason;
    return isOwn(existing) && change.body['source'] === undefined ? undefined : reason;
  },
});

const NOT_OURS = 'a node can only write about the containers that are placed on it';
const ONLY_MERGE = 'a node can patch a status only with a merge patch';
const NAME_LABELS = new Set([HOST_LABEL, 'kubernetes.io/hostname']);
/** Fields by which a write says which object and version it means. */
const NAMING = new Set(['name', 'namespace', 'uid', 'resourceVersion']);
/** Fields that the server keeps by itself, whatever an update says about them. */
const KEPT_BY_SERVER = ['resourceVersion', 'managedFields'];

/** With ownerReferences or finalizers others' objects could be made to go, or this one to stay. */
function refuseMetadata({ metadata }: KubeObject): string | undefined {
  const {
    annotations = {},
    ownerReferences,
    finalizers,
  } = metadata as KubeObject['metadata'] & Record<string, unknown>;
  if (annotations[FENCED_BY_ANNOTATION] !== undefined) return `a node cannot set ${FENCED_BY_ANNOTATION}`;
  const isBare = ownerReferences === undefined && finalizers === undefined;
  return isBare ? undefined : 'a node cannot set owners and finalizers';
}

function leaseChange(existing: KubeObject, next: KubeObject): string | undefined {
  const [before, after] = [mapOf(existing, 'spec'), mapOf(next, 'spec')];
  if ((before['holderIdentity'] ?? '') !== (after['holderIdentity'] ?? '')) {
    return 'a node cannot change spec.holderIdentity: the leader lets it in';
  }
  if ((before['leaseTransitions'] ?? 0) !== (after['leaseTransitions'] ?? 0)) {
    return 'a node cannot change spec.leaseTransitions';
  }
  const key = [REVOKED_BY_ANNOTATION, LOSSES_ANNOTATION].find(
    (name) => existing.metadata.annotations?.[name] !== next.metadata.annotations?.[name],
  );
  return key === undefined ? undefined : `a node cannot change the annotation ${key}`;
}

function leaseMetadata(existing: KubeObject, next: KubeObject): string | undefined {
  const rest = ({ metadata }: KubeObject): object => without(metadata, [...KEPT_BY_SERVER, 'annotations']);
  return isDeepStrictEqual(rest(existing), rest(next))
    ? undefined
    : 'a node can only change spec and annotations of its Lease';
}

function changed(
  old: Record<string, unknown>,
  next: Record<string, unknown>,
  { fields, conditions }: { fields: readonly string[]; conditions: readonly string[] },
): string | undefined {
  const field = fields.find((name) => !isDeepStrictEqual(next[name], old[name]));
  if (field !== undefined) return `a node cannot change status.${field}`;
  const type = conditions.find(
    (name) => !isDeepStrictEqual(conditionsOf(next, name), conditionsOf(old, name)),
  );
  return type === undefined ? undefined : `a node cannot change the condition ${type}`;
}

function conditionsOf({ conditions }: Record<string, unknown>, type: string): unknown[] {
  return Array.isArray(conditions) ? conditions.filter((one) => isMap(one) && one['type'] === type) : [];
}

const isPlacedOn = (container: KubeObject | undefined, node: string): boolean =>
  statusOf(container)['nodeName'] === node;

const statusOf = (object: KubeObject | undefined): Record<string, unknown> => mapOf(object, 'status');

function mapOf(object: unknown, field: string): Record<string, unknown> {
  const value = isMap(object) ? object[field] : undefined;
  return isMap(value) ? value : {};
}

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

function touchesOnlyFinalizers(existing: KubeObject, change: Change): boolean {
  if (change.type === 'patch') {
    if (change.patchType !== 'merge' || !isMap(change.body)) return false;
    const { metadata = {}, apiVersion: _apiVersion, kind: _kind, ...rest } = change.body;
    if (Object.keys(rest).length > 0 || !isMap(metadata)) return false;
    return Object.keys(metadata).every((field) => NAMING.has(field) || field === 'finalizers');
  }
  return isDeepStrictEqual(comparable(existing), comparable(change.object));
}

function nextFinalizers(change: Change): unknown {
  const object = change.type === 'patch' ? change.body : change.object;
  return mapOf(object, 'metadata')['finalizers'] ?? [];
}

function comparable(object: KubeObject): object {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown };
  return { ...rest, metadata: without(object.metadata, [...KEPT_BY_SERVER, 'finalizers']) };
}

function without(map: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(map).filter(([field]) => !fields.includes(field)));
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
