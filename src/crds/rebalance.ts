import { type Static, Type } from 'typebox';
import { durationSchema, parseDurationMs } from './duration.ts';
import type { FieldFault } from './kind.ts';

/** `spec.rebalance` of the ClusterPolicy. Absent: nothing is moved only because a host is crowded. */
export const rebalanceSchema = Type.Object(
  {
    threshold: Type.Optional(
      Type.Integer({
        minimum: 5,
        maximum: 100,
        default: 20,
        description:
          'Percentage points: a host is crowded when it is fuller by more than this than one that could take one of its containers. How full a host is, is what its containers ask for of its cores or of its memory, whichever is more.',
      }),
    ),
    maxMoves: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 2,
        description: 'At most so many moves begin within one window.',
      }),
    ),
    window: Type.Optional(durationSchema('The time over which maxMoves is counted. At least 1s.', '10m')),
    cooldown: Type.Optional(
      durationSchema(
        'A container that was moved, for whatever reason, stays for at least so long. At least 1s.',
        '1h',
      ),
    ),
  },
  {
    description:
      'Moves containers, by their own migration policy, from crowded hosts to others. Off when absent; {} switches it on.',
  },
);

/** `spec.migration` of the ClusterPolicy. */
export const migrationLimitsSchema = Type.Object(
  {
    outgoingPerNode: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 2,
        description:
          'At most so many containers are copied off one node at once; twice as many more may be stopped for their last pass.',
      }),
    ),
    incomingPerNode: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 2,
        description:
          'At most so many containers are copied to one node at once; twice as many more may be stopped for their last pass.',
      }),
    ),
    cluster: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        default: 20,
        description:
          'At most so many containers of the cluster are copied at once; twice as many more may be stopped for their last pass.',
      }),
    ),
  },
  {
    description:
      'How many migrations go on at once; others wait for their turn. One counts until its target may run the container; that it is stopped, or that what has changed since is copied, keeps no other from being copied meanwhile.',
  },
);

export type RebalancePolicy = Static<typeof rebalanceSchema>;
export type MigrationLimitsPolicy = Static<typeof migrationLimitsSchema>;

const LEAST_MS = 1_000;

/** Without either, nothing would keep a container from being moved to and fro. */
export function rebalanceFaults(rebalance: RebalancePolicy | undefined): FieldFault[] {
  return (['window', 'cooldown'] as const)
    .filter((field) => (parseDurationMs(rebalance?.[field] ?? '') ?? LEAST_MS) < LEAST_MS)
    .map((field) => ({
      field: `spec.rebalance.${field}`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: "${rebalance?.[field]}": must be at least 1s`,
    }));
}
