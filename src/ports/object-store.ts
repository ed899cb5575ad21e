import type { KubeObject, ResourceRef } from '../crds/object.ts';

/**
 * The Kubernetes API as controllers and agents see it: the embedded API server and any other Kubernetes cluster look
 * alike through it. Objects are plain JSON, never typed models (those drop unknown fields between read and replace).
 * Errors carry the codes of ports/errors; every call has a deadline of its own besides the caller's signal.
 */
export interface ObjectStore {
  /** @returns undefined when there is no such object; a failed read *throws*, since unknown is not absent */
  get<T extends KubeObject>(ref: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<T | undefined>;

  /** One page. @throws Expired when `continue` or `resourceVersion` is too old */
  list<T extends KubeObject>(
    ref: ResourceRef,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<ObjectList<T>>;

  /**
   * Events after `options.resourceVersion`, until the server ends the connection (then the iteration ends) or it fails
   * (then it throws). The caller resumes. `BOOKMARK` events carry only a resourceVersion.
   * @throws Expired when the position is too old (410): list again
   */
  watch<T extends KubeObject>(
    ref: ResourceRef,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;

  /** @throws AlreadyExists, Invalid */
  create<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T>;

  /** Replaces the object; conditional on its `metadata.resourceVersion`, which must be set. @throws Conflict, NotFound */
  update<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T>;

  /** Replaces the status alone, likewise conditional. @throws Conflict, NotFound */
  updateStatus<T extends KubeObject>(ref: ResourceRef, object: T, signal: AbortSignal): Promise<T>;

  /**
   * JSON merge patch (RFC 7386) of the object, or of its status sub-resource. `patch.metadata.resourceVersion` makes
   * it conditional; without one it must be safe to apply to any state of the object.
   */
  mergePatch<T extends KubeObject>(
    ref: ResourceRef,
    key: ObjectKey,
    patch: MergePatch,
    signal: AbortSignal,
  ): Promise<T>;

  /** Resolves also when the object was gone already. @throws Conflict when a precondition does not hold */
  delete(
    ref: ResourceRef,
    key: ObjectKey,
    preconditions: DeletePreconditions,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface ObjectKey {
  /** Absent for cluster-scoped kinds. */
  namespace?: string;
  name: string;
}

export interface ListOptions {
  /** Default: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  /** `"0"`: any version from the server's cache will do. Default: the most recent. */
  resourceVersion?: string;
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion: string;
  /** The server ends the watch after this long; default: the server's own choice. */
  timeoutSeconds?: number;
}

export interface ObjectList<T> {
  items: T[];
  resourceVersion: string;
  continue?: string;
}

export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; resourceVersion: string };

export interface MergePatch {
  body: object;
  subresource?: 'status';
}

export interface DeletePreconditions {
  uid?: string;
  resourceVersion?: string;
}
