import type { ContainerSpec } from './container-spec.ts';
import { instanceNameFault } from './container-name.ts';
import type { FieldFault } from './kind.ts';
import type { KubeObject } from './object.ts';
import { bytesOf, milliCpu } from './quantity.ts';
import { volumeFaults } from './volume.ts';

interface Declared extends KubeObject {
  spec: ContainerSpec;
}

/** What a schema cannot say about a Container: rules over several fields, and over a change from `old`. */
export function containerFaults(container: Declared, old: Declared | undefined): FieldFault[] {
  const faults: FieldFault[] = [];
  const { name } = container.metadata;
  const nameFault = instanceNameFault(container);
  if (nameFault !== undefined) {
    faults.push({
      field: 'metadata.name',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(name)}: ${nameFault}`,
    });
  }
  faults.push(...resourceFaults(container), ...volumeFaults(container.spec, old?.spec));
  return old === undefined ? faults : [...faults, ...changeFaults(container, old)];
}

function resourceFaults({ spec: { resources } }: Declared): FieldFault[] {
  const faults: FieldFault[] = [];
  const fault = (field: string, value: unknown, message: string) =>
    faults.push({
      field,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
    });
  if (resources?.cpu !== undefined && milliCpu(resources.cpu) < 10) {
    fault('spec.resources.cpu', resources.cpu, 'must be at least 10m');
  }
  if (resources?.memory !== undefined && bytesOf(resources.memory) < 2 ** 20) {
    fault('spec.resources.memory', resources.memory, 'must be at least 1Mi');
  }
  if (resources?.disk !== undefined && bytesOf(resources.disk) < 2 ** 20) {
    fault('spec.resources.disk', resources.disk, 'must be at least 1Mi');
  }
  return faults;
}

function changeFaults(container: Declared, old: Declared): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const field of ['image', 'rootPool'] as const) {
    if (container.spec[field] === old.spec[field]) continue;
    faults.push({
      field: `spec.${field}`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(container.spec[field] ?? null)}: field is immutable`,
    });
  }
  const [before, after] = [old.spec.resources?.disk, container.spec.resources?.disk];
  if (before !== undefined && bytesOf(after) < bytesOf(before)) {
    faults.push({
      field: 'spec.resources.disk',
      reason: 'FieldValueForbidden',
      message: `Forbidden: a disk cannot shrink (from ${before} to ${after ?? 'none'})`,
    });
  }
  return faults;
}
