import type { KubeObject } from '../../crds/object.ts';
import { AGE_COLUMN } from '../../crds/kind.ts';
import type { ResourceDefinition } from '../resource.ts';
import { dnsLabelFault } from '../selectors/qualified-name.ts';
import { invalidValue } from '../schema/fault.ts';
import { conditionList, namesOf, text, topSchema } from './shapes.ts';

export interface Namespace extends KubeObject {
  spec: { finalizers?: string[] };
  status: { phase?: 'Active' | 'Terminating'; conditions?: object[] };
}

/** Held until everything in the namespace is gone. */
export const NAMESPACE_FINALIZER = 'kubernetes';

export const namespaceResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  ...namesOf('Namespace', 'namespaces', ['ns']),
  namespaced: false,
  categories: [],
  schema: topSchema('A scope for names: objects of different namespaces may have the same name.', {
    spec: {
      type: 'object',
      default: {},
      properties: { finalizers: { type: 'array', items: text('') } },
    },
    status: {
      type: 'object',
      default: {},
      properties: { phase: text('Active or Terminating.'), conditions: conditionList },
    },
  }),
  columns: [
    { name: 'Status', type: 'string', jsonPath: '.status.phase', description: 'Active or Terminating.' },
    AGE_COLUMN,
  ],
  selectableFields: ['status.phase'],
  hasStatus: true,
  isCustom: false,
  allowsUnconditionalUpdate: true,
  name: { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 },
  markDeleted: (object) => {
    const namespace = object as Namespace;
    return { ...namespace, status: { ...namespace.status, phase: 'Terminating' } };
  },
  isHeld: (object) => ((object as Namespace).spec.finalizers ?? []).length > 0,
  prepare: (object, old) => prepared(object as Namespace, old as Namespace | undefined),
  validate: ({ metadata: { name } }) => {
    const fault = dnsLabelFault(name);
    return fault === undefined ? [] : [invalidValue('metadata.name', name, fault)];
  },
};

/** Only the API server itself sets the phase and takes the finalizer away; every namespace carries its own name as a label. */
function prepared(namespace: Namespace, old: Namespace | undefined): Namespace {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
  return {
    ...namespace,
    metadata: { ...metadata, labels },
    spec: old === undefined ? { finalizers: [NAMESPACE_FINALIZER] } : old.spec,
    status:
      old === undefined ? { phase: 'Active' } : { ...namespace.status, phase: old.status.phase ?? 'Active' },
  };
}
