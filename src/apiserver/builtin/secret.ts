import { AGE_COLUMN, type FieldFault } from '../../crds/kind.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { invalidValue, required, tooLong } from '../schema/fault.ts';
import { base64Faults, immutableFaults, keyFaults, MAX_DATA_BYTES, sizeOf } from './data.ts';
import { namesOf, text, textMap, topSchema } from './shapes.ts';

export interface Secret extends KubeObject {
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  type?: string;
  immutable?: boolean;
}

/** Keys that a type asks for; one of each inner list must be there. */
const REQUIRED_KEYS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'kubernetes.io/tls': [['tls.crt'], ['tls.key']],
  'kubernetes.io/basic-auth': [['username', 'password']],
  'kubernetes.io/ssh-auth': [['ssh-privatekey']],
  'kubernetes.io/dockercfg': [['.dockercfg']],
  'kubernetes.io/dockerconfigjson': [['.dockerconfigjson']],
};

export const secretResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  ...namesOf('Secret', 'secrets', []),
  namespaced: true,
  categories: [],
  schema: topSchema('Confidential data.', {
    data: textMap('Bytes by key, in base64.'),
    stringData: textMap('Texts by key, which are written into data. Never read back.'),
    type: { ...text('What the data is for. Cannot be changed.'), default: 'Opaque' },
    immutable: { type: 'boolean', description: 'Whether the data can never be changed again.' },
  }),
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.type', description: 'What the data is for.' },
    { name: 'Data', type: 'integer', jsonPath: '.data', description: 'How many keys it has.' },
    AGE_COLUMN,
  ],
  cells: { Data: (object) => Object.keys((object as Secret).data ?? {}).length },
  selectableFields: ['type'],
  hasStatus: false,
  isCustom: false,
  allowsUnconditionalUpdate: true,
  prepare: prepared,
  validate: faultsOf,
};

function prepared({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, value]) => [
    key,
    Buffer.from(value).toString('base64'),
  ]);
  return { ...secret, data: { ...secret.data, ...(Object.fromEntries(encoded) as Record<string, string>) } };
}

function faultsOf(secret: Secret, old: Secret | undefined): FieldFault[] {
  const { data = {} } = secret;
  const faults = [...keyFaults('data', data), ...base64Faults('data', data), ...typeFaults(secret)];
  if (sizeOf(data) > (MAX_DATA_BYTES * 4) / 3) faults.push(tooLong('data', MAX_DATA_BYTES));
  if (old === undefined) return faults;
  if (secret.type !== old.type) faults.push(invalidValue('type', secret.type, 'field is immutable'));
  return [...faults, ...immutableFaults(secret, old, ['data'])];
}

function typeFaults({ type = '', data = {} }: Secret): FieldFault[] {
  const missing = (REQUIRED_KEYS[type] ?? []).filter((keys) => !keys.some((key) => Object.hasOwn(data, key)));
  return missing.map((keys) => required(`data[${keys[0]}]`));
}
