import type { FieldFault } from '../../crds/kind.ts';
import type { ObjectMeta, OwnerReference } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { forbiddenField, invalidValue, required, tooLong } from '../schema/fault.ts';
import { labelKeyFault, labelValueFault, subdomainFault } from '../selectors/qualified-name.ts';

const MAX_ANNOTATIONS_BYTES = 256 * 1024;
export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';

/** What `metadata` of every object must hold, in Kubernetes' words. */
export function metadataFaults(definition: ResourceDefinition, metadata: ObjectMeta): FieldFault[] {
  return [
    ...nameFaults(definition, metadata),
    ...labelFaults(metadata.labels ?? {}),
    ...annotationFaults(metadata.annotations ?? {}),
    ...(metadata.ownerReferences ?? []).flatMap(ownerFaults),
    ...controllerFaults(metadata.ownerReferences ?? []),
    ...finalizerFaults(metadata.finalizers ?? []),
  ];
}

function nameFaults(definition: ResourceDefinition, { name, generateName }: ObjectMeta): FieldFault[] {
  const faults: FieldFault[] = [];
  if (generateName !== undefined && generateName !== '') {
    const fault = subdomainFault(generateName.endsWith('-') ? `${generateName}a` : generateName);
    if (fault !== undefined) faults.push(invalidValue('metadata.generateName', generateName, fault));
  }
  if (name === undefined || name === '') {
    return [required('metadata.name', 'name or generateName is required')];
  }
  const hasOwnRule = definition.name !== undefined && !definition.isCustom;
  const fault = hasOwnRule ? undefined : subdomainFault(name);
  return fault === undefined ? faults : [...faults, invalidValue('metadata.name', name, fault)];
}

function labelFaults(labels: Readonly<Record<string, string>>): FieldFault[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const faults: FieldFault[] = [];
    const keyFault = labelKeyFault(key);
    const valueFault = labelValueFault(value);
    if (keyFault !== undefined) faults.push(invalidValue('metadata.labels', key, keyFault));
    if (valueFault !== undefined) faults.push(invalidValue('metadata.labels', value, valueFault));
    return faults;
  });
}

function annotationFaults(annotations: Readonly<Record<string, string>>): FieldFault[] {
  let bytes = 0;
  const faults = Object.entries(annotations).flatMap(([key, value]) => {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    const fault = labelKeyFault(key.toLowerCase());
    return fault === undefined ? [] : [invalidValue('metadata.annotations', key, fault)];
  });
  return bytes > MAX_ANNOTATIONS_BYTES
    ? [...faults, tooLong('metadata.annotations', MAX_ANNOTATIONS_BYTES)]
    : faults;
}

function ownerFaults(owner: OwnerReference, index: number): FieldFault[] {
  const fields = ['apiVersion', 'kind', 'name', 'uid'] as const;
  return fields
    .filter((field) => (owner[field] ?? '') === '')
    .map((field) =>
      invalidValue(
        `metadata.ownerReferences[${index}].${field}`,
        '',
        field === 'apiVersion' ? 'version must not be empty' : 'must not be empty',
      ),
    );
}

function controllerFaults(owners: readonly OwnerReference[]): FieldFault[] {
  const [first, second] = owners.filter(({ controller }) => controller === true);
  if (first === undefined || second === undefined) return [];
  return [
    invalidValue(
      'metadata.ownerReferences',
      owners,
      `Only one reference can have Controller set to true. Found "true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`,
    ),
  ];
}

function finalizerFaults(finalizers: readonly string[]): FieldFault[] {
  const faults = finalizers.flatMap((finalizer) => {
    const fault = labelKeyFault(finalizer);
    return fault === undefined ? [] : [invalidValue('metadata.finalizers', finalizer, fault)];
  });
  if (finalizers.includes(ORPHAN) && finalizers.includes(FOREGROUND)) {
    faults.push(
      invalidValue(
        'metadata.finalizers',
        finalizers,
        `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`,
      ),
    );
  }
  return faults;
}

/** What of `metadata` a client cannot change. */
export function metadataChangeFaults(metadata: ObjectMeta, old: ObjectMeta): FieldFault[] {
  const fields = ['creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;
  const faults = fields
    .filter((field) => metadata[field] !== old[field])
    .map((field) => invalidValue(`metadata.${field}`, metadata[field], 'field is immutable'));
  if (old.deletionTimestamp === undefined) return faults;
  const added = (metadata.finalizers ?? []).filter(
    (finalizer) => !(old.finalizers ?? []).includes(finalizer),
  );
  if (added.length === 0) return faults;
  const listed = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
  return [
    ...faults,
    forbiddenField(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${listed}}`,
    ),
  ];
}
