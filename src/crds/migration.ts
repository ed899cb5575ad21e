import { type Static, Type } from 'typebox';
import { durationSchema, parseDurationMs } from './duration.ts';
import { AGE_COLUMN, type FieldFault, GROUP, type KindDefinition, VERSION } from './kind.ts';
import { migrationStatus } from './migration-status.ts';
import type { KubeObject } from './object.ts';
import { bytesOf, quantitySchema } from './quantity.ts';

export {
  MIGRATION_PHASES,
  type MigrationPhase,
  type SourceReport,
  type TargetReport,
} from './migration-status.ts';

export const MIGRATION_MODES = ['Live', 'LiveIfPossible', 'Cold'] as const;
export type MigrationMode = (typeof MIGRATION_MODES)[number];
export const DEFAULT_MIGRATION_DEADLINE = '30m';

const spec = Type.Object(
  {
    container: Type.String({
      minLength: 1,
      maxLength: 253,
      description: 'The Container of this namespace that moves.',
    }),
    targetNode: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 63,
        description: 'The node that it moves to. Default: the one that placement chooses.',
      }),
    ),
    mode: Type.Optional(
      Type.Unsafe<MigrationMode>({
        type: 'string',
        enum: [...MIGRATION_MODES],
        description:
          "Live moves the running processes with their memory and connections, or fails at once where that is not possible. LiveIfPossible goes cold there, and a condition says why. Cold stops the container for the last part of the copy. Default: the container's spec.migration.policy.",
      }),
    ),
    maxPause: Type.Optional(
      Type.String({
        pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$',
        description:
          'How long the container may be away. When it takes longer until it is switched over, the migration fails and the container is started again where it was; a live pass that has begun is not cut short, but none begins when the pass before it has taken longer. Default: no limit.',
      }),
    ),
    deadline: Type.Optional(
      durationSchema(
        'How long the whole may take, from the creation on. What has not been switched over by then is rolled back.',
        DEFAULT_MIGRATION_DEADLINE,
      ),
    ),
    bandwidth: Type.Optional(
      quantitySchema('Bytes a second that the copy may take at most: 50Mi. Default: no limit.'),
    ),
  },
  { description: 'What is to be moved where. Cannot be changed.' },
);

export type MigrationSpec = Static<typeof spec>;
export type MigrationStatus = Static<typeof migrationStatus>;

/** One move of one container to another node. */
export interface Migration extends KubeObject {
  spec: MigrationSpec;
  status?: MigrationStatus;
}

/** Held on a Migration from its first write to a Container until both hosts are clear of it. */
export const MIGRATION_FINALIZER = 'hostler.dev/migration';

export function isHeld({ metadata }: Pick<Migration, 'metadata'>): boolean {
  return metadata.finalizers?.includes(MIGRATION_FINALIZER) === true;
}

/** Type of the Secret that carries the keys of the present pass from the source to the target. */
export const TRANSFER_SECRET_TYPE = 'hostler.dev/transfer';
/** Label of that Secret: the node whose agent wrote it. */
export const SOURCE_LABEL = 'hostler.dev/source';

/** Names of the Secrets that the agent of `target` may read: the name says for whom it is. */
export function transferSecretPrefix(target: string): string {
  return `transfer.${target}.`;
}

/** The Secret of a migration that has a target. */
export function transferSecretName({ metadata, status }: Pick<Migration, 'metadata' | 'status'>): string {
  return `${transferSecretPrefix(status?.target ?? '')}${metadata.uid ?? ''}`;
}

export const migrationKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'Migration',
  listKind: 'MigrationList',
  resource: 'migrations',
  singular: 'migration',
  shortNames: ['mig'],
  categories: ['hostler'],
  namespaced: true,
  description: 'Moves one container to another node, live or cold. Deleting it while it runs cancels it.',
  spec,
  status: migrationStatus,
  name: { pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', maxLength: 240 },
  columns: [
    { name: 'Container', type: 'string', jsonPath: '.spec.container', description: 'What moves.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How far it is.' },
    { name: 'Source', type: 'string', jsonPath: '.status.source', description: 'Where it came from.' },
    { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'Where it goes.' },
    { name: 'Mode', type: 'string', jsonPath: '.status.mode', description: 'Live or Cold, as chosen.' },
    {
      name: 'Percent',
      type: 'integer',
      jsonPath: '.status.progress.percent',
      description: 'Of the present pass.',
    },
    { name: 'Pause', type: 'integer', jsonPath: '.status.pauseMs', description: 'Milliseconds away.' },
    AGE_COLUMN,
    {
      name: 'Passes',
      type: 'integer',
      jsonPath: '.status.passes',
      description: 'Passes of the copy that are done.',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].message',
      description: 'What goes on, or why it failed.',
      priority: 1,
    },
  ],
  selectableFields: ['.spec.container', '.status.phase', '.status.source', '.status.target'],
  validate: (object, old) => faultsOf(object as Migration, old as Migration | undefined),
};

function faultsOf(migration: Migration, old: Migration | undefined): FieldFault[] {
  if (old !== undefined) return isSameSpec(migration.spec, old.spec) ? [] : [IMMUTABLE];
  const { maxPause, deadline, bandwidth } = migration.spec;
  const faults: FieldFault[] = [];
  const invalid = (field: string, value: unknown, message: string) =>
    faults.push({
      field: `spec.${field}`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
    });
  if (maxPause !== undefined && parseDurationMs(maxPause) === 0) invalid('maxPause', maxPause, POSITIVE);
  if (deadline !== undefined && parseDurationMs(deadline) === 0) invalid('deadline', deadline, POSITIVE);
  if (bandwidth !== undefined && bytesOf(bandwidth) < MIN_BANDWIDTH) {
    invalid('bandwidth', bandwidth, 'must be at least 64Ki');
  }
  return faults;
}

const POSITIVE = 'must be longer than nothing';
const MIN_BANDWIDTH = 65_536;
const IMMUTABLE: FieldFault = {
  field: 'spec',
  reason: 'FieldValueForbidden',
  message: 'Forbidden: a Migration cannot be changed; delete it, which cancels it, and make another one',
};

function isSameSpec(now: MigrationSpec, old: MigrationSpec): boolean {
  const fields = new Set([...Object.keys(now), ...Object.keys(old)]) as Set<keyof MigrationSpec>;
  return [...fields].every((field) => now[field] === old[field]);
}
