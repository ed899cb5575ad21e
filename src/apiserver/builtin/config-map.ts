import { AGE_COLUMN, type FieldFault } from '../../crds/kind.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { invalidValue, tooLong } from '../schema/fault.ts';
import { namesOf, textMap, topSchema } from './shapes.ts';
import { base64Faults, immutableFaults, keyFaults, MAX_DATA_BYTES, sizeOf } from './data.ts';

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

export const configMapResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  ...namesOf('ConfigMap', 'configmaps', ['cm']),
  namespaced: true,
  categories: [],
  schema: topSchema('Configuration data, as text or bytes.', {
    data: textMap('Texts by key.'),
    binaryData: textMap('Bytes by key, in base64.'),
    immutable: { type: 'boolean', description: 'Whether the data can never be changed again.' },
  }),
  columns: [
    { name: 'Data', type: 'integer', jsonPath: '.data', description: 'How many keys it has.' },
    AGE_COLUMN,
  ],
  cells: {
    Data: (object) => {
      const { data = {}, binaryData = {} } = object as ConfigMap;
      return Object.keys(data).length + Object.keys(binaryData).length;
    },
  },
  selectableFields: [],
  hasStatus: false,
  isCustom: false,
  allowsUnconditionalUpdate: true,
  validate: faultsOf,
};

function faultsOf(configMap: ConfigMap, old: ConfigMap | undefined): FieldFault[] {
  const { data = {}, binaryData = {} } = configMap;
  const both = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key));
  const size = sizeOf(data) + sizeOf(binaryData);
  return [
    ...keyFaults('data', data),
    ...keyFaults('binaryData', binaryData),
    ...base64Faults('binaryData', binaryData),
    ...both.map((key) => invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ...(size > MAX_DATA_BYTES ? [tooLong('', MAX_DATA_BYTES)] : []),
    ...(old === undefined ? [] : immutableFaults(configMap, old, ['data', 'binaryData'])),
  ];
}
