import type { KubeObject } from '../../crds/object.ts';
import type { Call, ObjectName, Registry, StoredObject, WriteOptions } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';

/**
 * Rules over more than one object, asked before a write. Each either lets it pass or throws the ApiError that the client
 * gets. They see other objects by consistent reads, but two requests at once may pass each other: what must hold for
 * certain is kept by finalizers.
 */
export interface AdmissionRule {
  beforeCreate?(request: CreateRequest): Promise<void>;
  /** Also asked again for an object that is being deleted already. */
  beforeDelete?(request: DeleteRequest): Promise<void>;
}

export interface CreateRequest {
  definition: ResourceDefinition;
  name: ObjectName;
  object: KubeObject;
  options: WriteOptions;
  call: Call;
}

export interface DeleteRequest {
  definition: ResourceDefinition;
  name: ObjectName;
  current: StoredObject;
  call: Call;
}

/** How rules see other resources. */
export type LookUp = (group: string, version: string, resource: string) => Registry | undefined;
