import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { MIGRATION_TRANSFERS, type MigrationTransfer } from './container-migration.ts';

/** From Succeeded on nothing changes any more. */
export const MIGRATION_PHASES = [
  'Pending',
  'Preparing',
  'Copying',
  'Refreshing',
  'SwitchingOver',
  'Completing',
  'Succeeded',
  'Failed',
  'Cancelled',
] as const;
export type MigrationPhase = (typeof MIGRATION_PHASES)[number];

const faultSchema = (description: string) =>
  Type.Object(
    {
      reason: Type.String({ description: 'CamelCase, for programs.' }),
      message: Type.String({ description: "For people; the daemon's own words where it failed." }),
    },
    { description },
  );

const pass = (description: string) => Type.Integer({ minimum: 0, description });

const sourceReport = Type.Object(
  {
    prepared: Type.Optional(Type.Boolean({ description: 'The instance is there and can be sent.' })),
    offered: Type.Optional(pass('The pass whose keys are in the Secret: the target may fetch it, once.')),
    operation: Type.Optional(
      Type.String({ description: "The offer at the source's daemon, of no use without its keys." }),
    ),
    stoppedEpoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description:
          'The instance is stopped, and the agent does not start it while status.migration of the container holds it in this epoch.',
      }),
    ),
    forgotten: Type.Optional(
      Type.Boolean({
        description: 'Of a root on shared storage: the daemon of the source does not know it any more.',
      }),
    ),
    failedPass: Type.Optional(pass('The pass that could not be offered.')),
    liveObstacle: Type.Optional(faultSchema('Why the instance cannot move live, although both hosts can.')),
    fault: Type.Optional(faultSchema('What the source cannot do.')),
    cleared: Type.Optional(Type.Boolean({ description: 'Nothing of the container is left on the source.' })),
  },
  { description: "What the source's agent says; written by it alone." },
);

const targetReport = Type.Object(
  {
    prepared: Type.Optional(Type.Boolean({ description: 'The host can take the container.' })),
    pass: Type.Optional(pass('The last pass that arrived whole.')),
    bytes: Type.Optional(Type.Integer({ format: 'int64', description: 'What that pass carried.' })),
    tookMs: Type.Optional(Type.Integer({ format: 'int64', description: 'How long that pass took.' })),
    runningEpoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description: 'The container runs here since the live pass of this epoch.',
      }),
    ),
    failedPass: Type.Optional(pass('The last pass that failed.')),
    fault: Type.Optional(faultSchema('Why it failed, or what the target cannot do.')),
    clearedEpoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description:
          'After a live pass that failed: nothing runs here, and nothing of that pass can start any more.',
      }),
    ),
  },
  { description: "What the target's agent says; written by it alone." },
);

export const migrationStatus = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that all this is about.' }),
    ),
    phase: Type.Optional(
      Type.Unsafe<MigrationPhase>({
        type: 'string',
        enum: [...MIGRATION_PHASES],
        description: 'How far it is.',
      }),
    ),
    source: Type.Optional(Type.String({ description: 'The node that the container moves away from.' })),
    target: Type.Optional(Type.String({ description: 'The node that it moves to.' })),
    mode: Type.Optional(
      Type.Unsafe<'Live' | 'Cold'>({
        type: 'string',
        enum: ['Live', 'Cold'],
        description: 'What was chosen.',
      }),
    ),
    transfer: Type.Optional(
      Type.Unsafe<MigrationTransfer>({
        type: 'string',
        enum: [...MIGRATION_TRANSFERS],
        description: 'Whether the root is copied, or lies on shared storage and changes hands.',
      }),
    ),
    epoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description: 'Epoch of the container since the last write to it of this migration.',
      }),
    ),
    pass: Type.Optional(pass('The pass of the copy that is asked for now.')),
    final: Type.Optional(
      Type.Boolean({ description: 'Whether that is the last one, for which the container pauses.' }),
    ),
    passes: Type.Optional(pass('Passes of the copy that are done.')),
    failures: Type.Optional(pass('Passes that failed, one after the other.')),
    lastPassMs: Type.Optional(
      Type.Integer({ format: 'int64', description: 'How long the last pass took that is done.' }),
    ),
    progress: Type.Optional(
      Type.Object(
        {
          bytes: Type.Integer({ format: 'int64', description: 'Carried by the present pass.' }),
          total: Type.Optional(
            Type.Integer({
              format: 'int64',
              description: 'What the first pass has to carry, where it is known.',
            }),
          ),
          percent: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 100, description: 'Of the present pass.' }),
          ),
          rate: Type.Optional(Type.Integer({ format: 'int64', description: 'Bytes a second.' })),
        },
        { description: "How far the present pass is; written by the target's agent." },
      ),
    ),
    pauseStartedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When the source was told to let go of the container.',
      }),
    ),
    pauseMs: Type.Optional(
      Type.Integer({
        format: 'int64',
        description:
          'From the moment at which the source was told to let go of the container to the moment at which it was seen to run on the target.',
      }),
    ),
    startedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it was begun.' })),
    completedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it succeeded, failed or was cancelled.' }),
    ),
    sourceReport: Type.Optional(sourceReport),
    targetReport: Type.Optional(targetReport),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the migration controller decided, and what the two agents said.' },
);

export type SourceReport = Static<typeof sourceReport>;
export type TargetReport = Static<typeof targetReport>;
