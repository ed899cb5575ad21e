import type { TSchema } from 'typebox';
import type { KubeObject, ResourceRef } from './object.ts';

/**
 * One kind, described once: from this come its TypeScript type, its ajv validator, its CRD manifest, what the embedded
 * API server serves, and the API reference.
 */
export interface KindDefinition extends ResourceRef {
  singular: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  /** One or two sentences for `kubectl explain` and the API reference. */
  description: string;
  /** OpenAPI v3 structural schemas, as TypeBox values. */
  spec: TSchema;
  status: TSchema;
  /** Further limits on `metadata.name`, which are all that a CRD can say about metadata. */
  name?: { pattern: string; maxLength: number };
  columns: readonly PrinterColumn[];
  selectableFields: readonly string[];
  /**
   * Rules over several fields, or over the change from `old` (undefined on create); run after the schema has passed.
   * Pure. On other Kubernetes clusters the controllers report the same faults in conditions.
   */
  validate?(object: KubeObject, old: KubeObject | undefined): FieldFault[];
}

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date' | 'boolean' | 'number';
  /** As in a CRD: `.status.phase`. */
  jsonPath: string;
  description: string;
  /** 0 (default) is always shown, 1 with `-o wide`. */
  priority?: 0 | 1;
}

/** The last column of every kind. */
export const AGE_COLUMN: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since creation.',
};

/** A cause in a 422's `details.causes`. */
export interface FieldFault {
  /** `spec.image` */
  field: string;
  reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueForbidden'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid';
  /** As Kubernetes words it: `Invalid value: "x": must be …`. */
  message: string;
}

export const GROUP = 'hostler.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
/** Namespace of the node leases. */
export const NODE_LEASE_NAMESPACE = 'hostler-nodes';
/** Held on a Container until its host has removed it, and on a StoragePool while it is in use. */
export const HOST_FINALIZER = 'hostler.dev/host';
/** Set by the agent on its own Node; the topology key of one host. */
export const HOST_LABEL = 'hostler.dev/host';
/** On a Node: an operator's word that the host is off, and who says so. Taken back by the leader when the node is back. */
export const FENCED_BY_ANNOTATION = 'hostler.dev/fenced-by';
/** On a Container: whether it goes back, while it is powered off, to the node that it was lost on: Auto or Never (default). */
export const RESTORE_ANNOTATION = 'hostler.dev/restore';
/** Keys of the taints in Node.status.taints. */
export const NOT_READY_TAINT = 'hostler.dev/not-ready';
export const UNREACHABLE_TAINT = 'hostler.dev/unreachable';
export const FLAPPING_TAINT = 'hostler.dev/flapping';
