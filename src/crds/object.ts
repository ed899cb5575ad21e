/** The shapes that every Kubernetes object shares (`meta/v1`). Times are RFC 3339 strings in UTC. */

export interface TypeMeta {
  apiVersion: string;
  kind: string;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: object[];
}

export interface OwnerReference extends TypeMeta {
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface KubeObject extends TypeMeta {
  metadata: ObjectMeta;
}

/** Names an object for an Event or a log line. */
export interface ObjectReference extends TypeMeta {
  namespace?: string;
  name: string;
  uid?: string;
}

/** Where the API serves a kind. */
export interface ResourceRef {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
  /** The plural, lower-case name in URLs: `containers`. */
  resource: string;
  namespaced: boolean;
}

/** `apiVersion` of objects of `ref`: `hostler.dev/v1alpha1`, or `v1` for the core group. */
export function apiVersionOf(ref: Pick<ResourceRef, 'group' | 'version'>): string {
  return ref.group === '' ? ref.version : `${ref.group}/${ref.version}`;
}

export function referenceTo(object: KubeObject): ObjectReference {
  const { name, namespace, uid } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
}

/** @param ref the kind of `owner`, whose objects in lists do not say it; it has been created, so it has a uid */
export function ownerReferenceTo(ref: ResourceRef, owner: Pick<KubeObject, 'metadata'>): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return { apiVersion: apiVersionOf(ref), kind: ref.kind, name, uid };
}

/** `default/web`, or `host-1` for a cluster-scoped object: for people, and the key of work queues. */
export function keyOf(object: KubeObject): string {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
