import { type Static, Type } from 'typebox';
import type { FieldFault } from './kind.ts';

/** Data of a container beside its root: a folder on a pool whose driver is dir. */
export const volumeSchema = Type.Object({
  name: Type.String({
    pattern: '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$',
    description:
      "Unique in the container. Together with the container's name and namespace it names the folder.",
  }),
  pool: Type.String({
    minLength: 1,
    description: 'A StoragePool of driver dir, with access Node or Shared. Cannot be changed.',
  }),
  path: Type.String({
    pattern: '^/[^,\\s]*$',
    maxLength: 1024,
    description: 'Where the container sees it.',
  }),
  readOnly: Type.Optional(
    Type.Boolean({ default: false, description: 'Whether the container may only read it.' }),
  ),
});

export type ContainerVolume = Static<typeof volumeSchema>;

interface WithVolumes {
  volumes?: ContainerVolume[];
  networks?: { name: string }[];
}

const NOT_SHORTEST = /\/(\.{1,2})?(\/|$)/;

export function volumeFaults(spec: WithVolumes, old: WithVolumes | undefined): FieldFault[] {
  const faults: FieldFault[] = [];
  const seen = new Map<string, string>();
  for (const [index, { name, pool, path }] of (spec.volumes ?? []).entries()) {
    const field = `spec.volumes[${index}]`;
    const invalid = (of: string, value: string, message: string) =>
      faults.push({
        field: `${field}.${of}`,
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
      });
    if (NOT_SHORTEST.test(path)) invalid('path', path, 'must be a path in its shortest form, and not /');
    const other = seen.get(path);
    if (other !== undefined) invalid('path', path, `volume ${other} is there already`);
    seen.set(path, name);
    if (name === 'root' || spec.networks?.some((network) => network.name === name) === true) {
      invalid('name', name, 'the root or a network has this name');
    }
    const before = old?.volumes?.find((volume) => volume.name === name);
    if (before !== undefined && before.pool !== pool) invalid('pool', pool, 'field is immutable');
  }
  return faults;
}
