import type { ResourceDefinition } from '../resource.ts';
import { invalidValue } from '../schema/fault.ts';
import type { KubeObject } from '../../crds/object.ts';
import { AGE_COLUMN, type FieldFault } from '../../crds/kind.ts';
import { integer, namesOf, text, time, topSchema } from './shapes.ts';

interface Lease extends KubeObject {
  spec?: { leaseDurationSeconds?: number; leaseTransitions?: number };
}

export const leaseResource: ResourceDefinition = {
  group: 'coordination.k8s.io',
  version: 'v1',
  ...namesOf('Lease', 'leases', []),
  namespaced: true,
  categories: [],
  schema: topSchema(
    'What one holder has for a limited time, such as the permission of a node to run containers.',
    {
      spec: {
        type: 'object',
        default: {},
        properties: {
          holderIdentity: text('Who holds it.'),
          leaseDurationSeconds: integer('How long it lasts after the last renewal.'),
          acquireTime: time('When the present holder got it.'),
          renewTime: time('When it was last renewed.'),
          leaseTransitions: integer('How often it changed hands.'),
          strategy: text(''),
          preferredHolder: text(''),
        },
      },
    },
  ),
  columns: [
    { name: 'Holder', type: 'string', jsonPath: '.spec.holderIdentity', description: 'Who holds it.' },
    AGE_COLUMN,
  ],
  selectableFields: [],
  hasStatus: false,
  isCustom: false,
  validate: faultsOf,
};

function faultsOf({ spec = {} }: Lease): FieldFault[] {
  const { leaseDurationSeconds = 1, leaseTransitions = 0 } = spec;
  return [
    ...(leaseDurationSeconds > 0
      ? []
      : [invalidValue('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0')]),
    ...(leaseTransitions >= 0
      ? []
      : [invalidValue('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0')]),
  ];
}
