import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { containerMigrationSchema } from './container-migration.ts';
import { FAILOVER_POLICIES, type FailoverPolicy } from './container-spec.ts';

/** What was seen of a container, and decided about it: `status` of a Container. */

export const CONTAINER_PHASES = [
  'Pending',
  'Scheduled',
  'Creating',
  'Starting',
  'Running',
  'Stopping',
  'Stopped',
  'Migrating',
  'Failed',
  'Lost',
  'Terminating',
] as const;
export type ContainerPhase = (typeof CONTAINER_PHASES)[number];

export const containerStatusSchema = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that all this is about.' }),
    ),
    phase: Type.Optional(
      Type.Unsafe<ContainerPhase>({
        type: 'string',
        enum: [...CONTAINER_PHASES],
        description: 'Where in its life it is, for people. Programs look at the conditions.',
      }),
    ),
    nodeName: Type.Optional(Type.String({ description: 'The one node that may run the container.' })),
    epoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description: 'Grows with every new placement; agents never act on a lower one than they have seen.',
      }),
    ),
    term: Type.Optional(
      Type.Integer({
        format: 'int64',
        description:
          "The term of its node's lease that the placement belongs to. What may be placed elsewhere when the host is lost runs only under the node's present term.",
      }),
    ),
    failover: Type.Optional(
      Type.Unsafe<FailoverPolicy>({
        type: 'string',
        enum: [...FAILOVER_POLICIES],
        description:
          "What holds if the host is lost now: set with each placement, and by the node's agent once its guard knows of a change. Unless it is Recover or Recreate the container is not placed elsewhere, whatever spec.failover says since.",
      }),
    ),
    lostFrom: Type.Optional(
      Type.String({
        description:
          'The node that it was lost on, if it was placed here because of that. See hostler.dev/restore.',
      }),
    ),
    migration: Type.Optional(containerMigrationSchema),
    drainedFrom: Type.Optional(
      Type.String({
        description:
          'The node whose maintenance has moved it away, and to which the end of that brings it back.',
      }),
    ),
    stoppedFor: Type.Optional(
      Type.Unsafe<'Maintenance'>({
        type: 'string',
        enum: ['Maintenance'],
        description:
          'Why it is kept off although spec.power is Running: it cannot move, and the maintenance of its node stops what cannot.',
      }),
    ),
    restarts: Type.Optional(
      Type.Integer({ description: 'How often it was started again after it had ended by itself.' }),
    ),
    lastRestart: Type.Optional(
      Type.Object(
        {
          time: Type.String({ format: 'date-time', description: 'When it ran again.' }),
          reason: Type.String({ description: 'Ended or Error: CamelCase, for programs.' }),
          message: Type.String({ description: 'For people.' }),
        },
        { description: 'The last time it was started again after it had ended by itself.' },
      ),
    ),
    startedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When it was started last; absent while it does not run.',
      }),
    ),
    addresses: Type.Optional(Type.Array(Type.String(), { description: 'Global addresses, IPv4 first.' })),
    instanceName: Type.Optional(Type.String({ description: "The instance on the host's daemon." })),
    imageFingerprint: Type.Optional(
      Type.String({ description: 'SHA-256 of the image that it was made from.' }),
    ),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the controllers and the agent saw last.' },
);

export type ContainerStatus = Static<typeof containerStatusSchema>;
