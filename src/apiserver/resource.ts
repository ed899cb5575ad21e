import type { FieldFault, PrinterColumn } from '../crds/kind.ts';
import type { UserInfo } from './auth/user.ts';
import type { KubeObject, ResourceRef } from '../crds/object.ts';

/**
 * A kind as the API server serves it, whether built in (src/apiserver/builtin) or from a CustomResourceDefinition. The
 * layers above (discovery, OpenAPI, endpoints, registry) know kinds through this alone.
 */
export interface ResourceDefinition extends ResourceRef {
  singular: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  /** OpenAPI v3 schema of the whole object, `metadata` left open. */
  schema: JsonSchema;
  columns: readonly PrinterColumn[];
  /** Field paths that field selectors may name besides metadata.name and metadata.namespace: `status.nodeName`. */
  selectableFields: readonly string[];
  hasStatus: boolean;
  /** Whether there is a sub-resource `approval`, which writes `status.conditions` alone. @defaultValue false */
  hasApproval?: boolean;
  /** Custom resources drop unknown fields and count `metadata.generation` on every change outside metadata and status. */
  isCustom: boolean;
  /** Verbs beyond get, list, watch, create, update, patch, delete, deletecollection that are *not* served. */
  unsupportedVerbs?: readonly string[];
  /** Cross-field rules; see KindDefinition.validate. */
  validate?(object: KubeObject, old: KubeObject | undefined): FieldFault[];
  /** Further limits on metadata.name; default: a DNS sub-domain. */
  name?: { pattern: string; maxLength: number };
  /**
   * What people put into a built-in kind becomes what is stored (`stringData` goes into `data`). Pure; after defaulting
   * and before validation.
   */
  prepare?(object: KubeObject, old: KubeObject | undefined): KubeObject;
  /** What the server itself writes, on create, about who asks. Pure; before `prepare`. */
  stamp?(object: KubeObject, user: UserInfo): KubeObject;
  /** Cells of the columns (by name) for which a JSONPath is not enough; these win over `jsonPath`. Pure. */
  cells?: Readonly<Record<string, (object: KubeObject, nowMs: number) => string | number>>;
  /** Whether an update without a resourceVersion overwrites whatever is there, as many built-in kinds allow. */
  allowsUnconditionalUpdate?: boolean;
  /** When an object has outlived its use (Events), in milliseconds since 1970; it is then removed. */
  expiresAtMs?(object: KubeObject): number;
  /** What a deletion changes in an object that something holds (a Namespace becomes Terminating). Pure. */
  markDeleted?(object: KubeObject): KubeObject;
  /** Whether something besides `metadata.finalizers` holds an object that is being deleted. */
  isHeld?(object: KubeObject): boolean;
}

/** A JSON schema as OpenAPI v3 has it, with the x-kubernetes-* extensions. */
export interface JsonSchema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  required?: string[];
  items?: JsonSchema;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  not?: JsonSchema;
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  $ref?: string;
  [extension: `x-kubernetes-${string}`]: unknown;
}
