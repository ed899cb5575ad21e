import { type Static, Type } from 'typebox';
import { MIGRATION_MODES, type MigrationMode } from './migration.ts';

/** Maintenance of a host: `spec.maintenance` and `spec.drain` of a Node, and what its status says of it. */

export const maintenanceSchema = Type.Unsafe<'None' | 'Drain'>({
  type: 'string',
  enum: ['None', 'Drain'],
  default: 'None',
  description:
    'Drain empties the node: nothing new is placed here, and every container moves elsewhere by its own migration policy, as far as disruption budgets, placement rules and the limits of migrations allow. None ends that, and brings back what was moved away.',
});

export const drainSchema = Type.Object(
  {
    mode: Type.Optional(
      Type.Unsafe<MigrationMode>({
        type: 'string',
        enum: [...MIGRATION_MODES],
        description:
          'How containers move, in place of their own spec.migration.policy; Never is heeded all the same.',
      }),
    ),
    unmovable: Type.Optional(
      Type.Unsafe<'Leave' | 'Stop'>({
        type: 'string',
        enum: ['Leave', 'Stop'],
        default: 'Leave',
        description:
          'What happens to containers that cannot move: Leave lets them run on here, Stop stops them until the maintenance ends.',
      }),
    ),
    restore: Type.Optional(
      Type.Unsafe<'Auto' | 'Skip'>({
        type: 'string',
        enum: ['Auto', 'Skip'],
        default: 'Auto',
        description:
          'What happens when the maintenance ends: Auto moves back what was moved away, Skip leaves it where it is. What was stopped is started in either case.',
      }),
    ),
  },
  { description: 'How the node is emptied, and what comes after. Looked at only with spec.maintenance.' },
);

export const DRAIN_PHASES = ['Draining', 'Drained', 'Restoring', 'Restored'] as const;
export type DrainPhase = (typeof DRAIN_PHASES)[number];

const blockedSchema = Type.Object({
  container: Type.String({ description: 'namespace/name' }),
  reason: Type.String({ description: 'CamelCase, for programs.' }),
  message: Type.String({ description: 'For people.' }),
});

export const drainStatusSchema = Type.Object(
  {
    phase: Type.Unsafe<DrainPhase>({
      type: 'string',
      enum: [...DRAIN_PHASES],
      description:
        'Draining: containers move away, or are blocked. Drained: none runs here any more. Restoring: those that were moved away come back. Restored: they are back.',
    }),
    total: Type.Integer({ description: 'How many containers it is about.' }),
    moved: Type.Integer({ description: 'Those that have moved.' }),
    moving: Type.Integer({ description: 'Those whose migration goes on.' }),
    waiting: Type.Integer({
      description: 'Those whose turn comes: limits, budgets, or a state that passes hold them back.',
    }),
    stopped: Type.Integer({ description: 'Those that stay here without running.' }),
    blocked: Type.Optional(
      Type.Array(blockedSchema, {
        description: 'Those that cannot move, and why; at most 100 of them.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['container'],
      }),
    ),
    startedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When the drain, or the restore, began.' }),
    ),
    completedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it was Drained, or Restored.' }),
    ),
  },
  { description: 'How far the drain of the node has come, or the restore after it.' },
);

export type DrainOptions = Static<typeof drainSchema>;
export type DrainStatus = Static<typeof drainStatusSchema>;
export type BlockedContainer = Static<typeof blockedSchema>;
