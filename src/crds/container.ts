import { containerFaults } from './container-faults.ts';
import { CONTAINER_NAME_PATTERN, MAX_INSTANCE_NAME } from './container-name.ts';
import { type ContainerSpec, containerSpecSchema } from './container-spec.ts';
import { type ContainerStatus, containerStatusSchema } from './container-status.ts';
import { AGE_COLUMN, GROUP, type KindDefinition, VERSION } from './kind.ts';
import type { KubeObject } from './object.ts';

export type { AntiAffinity, Placement, Spread, Toleration } from './placement.ts';
export type { ContainerMigration, MigrationPolicy } from './container-migration.ts';
export { instanceNameFault, instanceNameOf, MAX_INSTANCE_NAME } from './container-name.ts';
export { type ContainerSpec, FAILOVER_POLICIES, type FailoverPolicy } from './container-spec.ts';
export { CONTAINER_PHASES, type ContainerPhase, type ContainerStatus } from './container-status.ts';
export type { ContainerVolume } from './volume.ts';

/** A system container. */
export interface Container extends KubeObject {
  spec: ContainerSpec;
  status?: ContainerStatus;
}

export const containerKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'Container',
  listKind: 'ContainerList',
  resource: 'containers',
  singular: 'container',
  shortNames: ['ct'],
  categories: ['hostler'],
  namespaced: true,
  description: 'A system container, which runs on one node at a time.',
  spec: containerSpecSchema,
  status: containerStatusSchema,
  name: { pattern: CONTAINER_NAME_PATTERN, maxLength: MAX_INSTANCE_NAME - 3 },
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where in its life it is.' },
    { name: 'Node', type: 'string', jsonPath: '.status.nodeName', description: 'The node that may run it.' },
    { name: 'IP', type: 'string', jsonPath: '.status.addresses[0]', description: 'Its first address.' },
    {
      name: 'Restarts',
      type: 'integer',
      jsonPath: '.status.restarts',
      description: 'How often it was started again.',
    },
    AGE_COLUMN,
    {
      name: 'Image',
      type: 'string',
      jsonPath: '.spec.image',
      description: 'What it was made from.',
      priority: 1,
    },
    {
      name: 'Pool',
      type: 'string',
      jsonPath: '.spec.rootPool',
      description: 'Where its root is.',
      priority: 1,
    },
    {
      name: 'Epoch',
      type: 'integer',
      jsonPath: '.status.epoch',
      description: 'How often it was placed.',
      priority: 1,
    },
  ],
  selectableFields: ['.status.nodeName', '.status.phase', '.spec.rootPool'],
  validate: (object, old) => containerFaults(object as Container, old as Container | undefined),
};
