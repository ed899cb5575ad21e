import { type Static, Type } from 'typebox';

export const MIGRATION_POLICIES = ['Live', 'LiveIfPossible', 'Cold', 'Never'] as const;
export type MigrationPolicy = (typeof MIGRATION_POLICIES)[number];
export const DEFAULT_MIGRATION_POLICY: MigrationPolicy = 'LiveIfPossible';

/** `spec.migration` of a Container. */
export const migrationPolicySchema = Type.Object(
  {
    policy: Type.Optional(
      Type.Unsafe<MigrationPolicy>({
        type: 'string',
        enum: [...MIGRATION_POLICIES],
        default: DEFAULT_MIGRATION_POLICY,
        description:
          'Live: only with its processes and memory. LiveIfPossible: so where both hosts can, else cold. Cold: with a stop and a start. Never: a Migration of it is refused, and a drain leaves it.',
      }),
    ),
  },
  { default: {}, description: 'How it may be moved to another node.' },
);

/**
 * Who may run a container that moves, in the one object that both nodes go by:
 * `Copying`: the source runs it as ever; `Held`: the source stops it and does not start it; `Live`: it is placed on the
 * target, which starts it by the live pass alone, and the source goes on with what runs but does not start it; `Switched`: the
 * target runs it as any other, and the source keeps its stopped copy.
 */
export const MIGRATION_STAGES = ['Copying', 'Held', 'Live', 'Switched'] as const;
export type MigrationStage = (typeof MIGRATION_STAGES)[number];

export const MIGRATION_TRANSFERS = ['Copy', 'Shared'] as const;
export type MigrationTransfer = (typeof MIGRATION_TRANSFERS)[number];

/** `status.migration` of a Container: at most one Migration has it. */
export const containerMigrationSchema = Type.Object(
  {
    name: Type.String({ description: 'The Migration, in the same namespace.' }),
    uid: Type.String({ description: 'Its uid.' }),
    source: Type.String({ description: 'The node that it moves away from.' }),
    target: Type.String({ description: 'The node that it moves to, on which its room is kept.' }),
    stage: Type.Unsafe<MigrationStage>({
      type: 'string',
      enum: [...MIGRATION_STAGES],
      description:
        'Copying: the source runs it. Held: the source stops it and does not start it. Live: the target takes it over running. Switched: the target runs it, the source keeps its stopped copy.',
    }),
    transfer: Type.Unsafe<MigrationTransfer>({
      type: 'string',
      enum: [...MIGRATION_TRANSFERS],
      description: 'Whether the root is copied, or lies on shared storage and changes hands.',
    }),
    ended: Type.Optional(
      Type.Unsafe<'Ended' | 'Error'>({
        type: 'string',
        enum: ['Ended', 'Error'],
        description:
          'It had ended by itself when it was held, and its restart policy leaves it so: the target does not start it.',
      }),
    ),
  },
  { description: 'The Migration that moves it now.' },
);

export type ContainerMigration = Static<typeof containerMigrationSchema>;
