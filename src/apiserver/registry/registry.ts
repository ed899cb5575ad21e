import type { KubeObject } from '../../crds/object.ts';
import type { UserInfo } from '../auth/user.ts';
import type { ResourceDefinition } from '../resource.ts';

/**
 * The objects of one resource: everything the API promises about them (names, uids, generations, defaulting, pruning,
 * validation, optimistic concurrency, finalizers, graceful deletion, selectors, paging, watching), and nothing about HTTP.
 * Failures are thrown as ApiError (../status.ts). A registry serialises each version of an object once; endpoints send
 * the shared bytes on.
 */
export interface Registry {
  readonly definition: ResourceDefinition;

  /** @param resourceVersion absent: linearizable; "0" or a number: the watch cache, at least that new */
  get(name: ObjectName, resourceVersion: string | undefined, call: Call): Promise<StoredObject>;

  list(query: ListQuery, call: Call): Promise<StoredList>;

  /** Rejects with 410 `Expired` when the position is gone. `resourceVersion` absent or "0": begins with an ADDED for each object. */
  watch(query: WatchQuery, call: Call): Promise<AsyncIterable<StoredEvent>>;

  create(
    namespace: string | undefined,
    body: KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<StoredObject>;

  update(name: ObjectName, body: KubeObject, options: WriteOptions, call: Call): Promise<StoredObject>;

  patch(name: ObjectName, patch: PatchBody, options: WriteOptions, call: Call): Promise<StoredObject>;

  /** `object` is what was deleted, or, while finalizers or a grace period hold it, what is left (`finished: false`). */
  delete(
    name: ObjectName,
    options: DeleteOptions,
    call: Call,
  ): Promise<{ object: StoredObject; finished: boolean }>;

  deleteCollection(query: ListQuery, options: DeleteOptions, call: Call): Promise<StoredList>;
}

/** Who asks, how long they wait, and what they are to be told besides the answer. */
export interface Call {
  user: UserInfo;
  signal: AbortSignal;
  /** Aborted when the server stops: a watch tells how far it has come, and ends. Default: it is ended by `signal` alone. */
  ending?: AbortSignal;
  /** Sent as a `Warning: 299` header. */
  warn(message: string): void;
}

export interface ObjectName {
  namespace?: string;
  name: string;
}

/** One version of an object. Immutable: the watch cache and every reader share it. */
export interface StoredObject {
  readonly object: KubeObject;
  readonly resourceVersion: number;
  /** The object as JSON, made on first use and kept. */
  json(): Buffer;
}

export interface StoredList {
  items: readonly StoredObject[];
  resourceVersion: number;
  continue?: string;
  remainingItemCount?: number;
}

export type StoredEvent =
  | {
      type: 'ADDED' | 'MODIFIED' | 'DELETED';
      stored: StoredObject;
      /** The frame as JSON with a newline, shared. */ frame(): Buffer;
    }
  | {
      type: 'BOOKMARK';
      resourceVersion: number;
      /** Ends the initial events of sendInitialEvents. */ initialEventsEnd?: boolean;
    };

export interface ListQuery {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: string;
}

export interface WatchQuery {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  sendInitialEvents?: boolean;
  resourceVersionMatch?: string;
  /** The watch ends by itself after this time, with a last bookmark if those are wanted. Default: only by `call.signal`. */
  timeoutSeconds?: number;
}

export interface WriteOptions {
  subresource?: 'status' | 'approval';
  dryRun: boolean;
  fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  fieldManager?: string;
  /** Duplicate keys that the JSON or YAML body had: `duplicate field "spec.image"`. */
  duplicateFields?: readonly string[];
}

export interface PatchBody {
  type: 'json' | 'merge' | 'strategic-merge';
  body: unknown;
}

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun: boolean;
}
