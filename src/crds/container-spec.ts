import { type Static, Type } from 'typebox';
import { migrationPolicySchema } from './container-migration.ts';
import { durationSchema } from './duration.ts';
import { placementSchema, stringMap } from './placement.ts';
import { quantitySchema } from './quantity.ts';
import { volumeSchema } from './volume.ts';

/** What people want of a container: `spec` of a Container. */

export const FAILOVER_POLICIES = ['Recover', 'Recreate', 'Stay'] as const;
export type FailoverPolicy = (typeof FAILOVER_POLICIES)[number];

export const containerSpecSchema = Type.Object(
  {
    image: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern:
        '^(https://\\S+#sha256=[0-9a-f]{64}|file:///\\S+|[a-z0-9][a-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._/-]*)$',
      description:
        'What the root filesystem is made from: <remote>:<alias> (an image server, such as images:debian/12), https://…#sha256=… (a unified image tarball), or file:///… (one on the host). Cannot be changed.',
    }),
    power: Type.Optional(
      Type.Unsafe<'Running' | 'Stopped'>({
        type: 'string',
        enum: ['Running', 'Stopped'],
        default: 'Running',
        description: 'Whether the container is to run, or to be there without running.',
      }),
    ),
    resources: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(
            quantitySchema('Cores: asked for at placement, and the limit. Default: none asked, no limit.'),
          ),
          memory: Type.Optional(
            quantitySchema('Bytes: asked for at placement, and the limit. Default: none asked, no limit.'),
          ),
          disk: Type.Optional(
            quantitySchema(
              'Bytes of the root pool: asked for at placement, and the quota where the pool has quotas. Can grow, never shrink.',
            ),
          ),
        },
        {
          default: {},
          description: 'What is kept for the container at placement, and what it may use at most.',
        },
      ),
    ),
    rootPool: Type.Optional(
      Type.String({
        minLength: 1,
        default: 'default',
        description: 'The StoragePool of the root filesystem. Cannot be changed.',
      }),
    ),
    volumes: Type.Optional(
      Type.Array(volumeSchema, {
        maxItems: 32,
        description:
          'Folders for data, which outlive the instance and its root. They are kept when the Container is deleted, unless the reclaimPolicy of their pool is Delete.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    ),
    networks: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({
            pattern: '^[a-z][a-z0-9]{0,14}$',
            description: 'Interface inside the container: eth0.',
          }),
          network: Type.String({ minLength: 1, description: "A network of the host's daemon: incusbr0." }),
        }),
        {
          description: "Network interfaces. Default: eth0 on the host's default network; [] for none.",
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
      ),
    ),
    config: Type.Optional(
      stringMap(
        "Further keys of the daemon's instance configuration, of those that the host's operator allows.",
      ),
    ),
    placement: Type.Optional(placementSchema),
    restart: Type.Optional(
      Type.Object(
        {
          policy: Type.Optional(
            Type.Unsafe<'Always' | 'OnFailure' | 'Never'>({
              type: 'string',
              enum: ['Always', 'OnFailure', 'Never'],
              default: 'Always',
              description:
                'What happens when the container ends by itself. OnFailure leaves down what ended well, that is with status 0 or by a poweroff inside, and restarts what ended otherwise, such as with another status, by a signal or together with its host.',
            }),
          ),
          backoff: Type.Optional(
            Type.Object(
              {
                initial: Type.Optional(
                  durationSchema(
                    'Wait before the second restart in a row; doubles with each. The first is at once.',
                    '1s',
                  ),
                ),
                max: Type.Optional(durationSchema('Longest wait between restarts.', '5m')),
                resetAfter: Type.Optional(
                  durationSchema('A container that ran for this long starts from the beginning.', '10m'),
                ),
              },
              { default: {}, description: 'How long restarts wait when it ends again and again.' },
            ),
          ),
        },
        { default: {}, description: 'What happens when the container ends without being asked to.' },
      ),
    ),
    failover: Type.Optional(
      Type.Object(
        {
          policy: Type.Optional(
            Type.Unsafe<FailoverPolicy>({
              type: 'string',
              enum: [...FAILOVER_POLICIES],
              default: 'Recover',
              description:
                'Recover starts it elsewhere with its data when all of its data is on shared storage, and otherwise waits for its host. Recreate makes it anew from the image elsewhere, with an empty root. Stay always waits for its host.',
            }),
          ),
        },
        { default: {}, description: 'What happens when its host is lost.' },
      ),
    ),
    migration: Type.Optional(migrationPolicySchema),
    priority: Type.Optional(
      Type.Integer({
        minimum: -1_000_000,
        maximum: 1_000_000,
        description:
          'Of the containers of a lost host those with a higher priority are placed first. Default: 0.',
      }),
    ),
    stopTimeout: Type.Optional(
      durationSchema('How long a clean stop may take before the container is killed.', '30s'),
    ),
  },
  { description: 'What people want.' },
);

export type ContainerSpec = Static<typeof containerSpecSchema>;
