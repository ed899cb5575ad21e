import { type Static, Type } from 'typebox';

/** Where a container may run: `spec.placement` of a Container. */

export const stringMap = (description: string) =>
  Type.Unsafe<Record<string, string>>({
    type: 'object',
    additionalProperties: { type: 'string' },
    description,
  });

const tolerationSchema = Type.Object({
  key: Type.Optional(Type.String({ description: 'Default: every taint.' })),
  operator: Type.Optional(
    Type.Unsafe<'Equal' | 'Exists'>({
      type: 'string',
      enum: ['Equal', 'Exists'],
      default: 'Equal',
      description: 'Exists tolerates a taint of that key whatever its value is.',
    }),
  ),
  value: Type.Optional(Type.String({ description: "The taint's value, for Equal." })),
  effect: Type.Optional(
    Type.Unsafe<'NoSchedule' | 'PreferNoSchedule'>({
      type: 'string',
      enum: ['NoSchedule', 'PreferNoSchedule'],
      description: 'Default: every effect.',
    }),
  ),
});

const antiAffinitySchema = Type.Object({
  topologyKey: Type.String({
    minLength: 1,
    description:
      'Label of nodes: containers that match are kept on nodes with different values. hostler.dev/host is one host.',
  }),
  matchLabels: stringMap('Labels of the containers, in the same namespace, to keep away from.'),
  mode: Type.Optional(
    Type.Unsafe<'Required' | 'Preferred'>({
      type: 'string',
      enum: ['Required', 'Preferred'],
      default: 'Required',
      description: 'Required refuses nodes that break the rule; Preferred only makes them less attractive.',
    }),
  ),
});

const spreadSchema = Type.Object({
  topologyKey: Type.String({
    minLength: 1,
    description: 'Label of nodes over whose values the containers are spread.',
  }),
  maxSkew: Type.Optional(
    Type.Integer({
      minimum: 1,
      default: 1,
      description: 'By how many the fullest may be ahead of the emptiest.',
    }),
  ),
  matchLabels: Type.Optional(
    stringMap(
      "Labels of the containers, in the same namespace, that are counted. Default: those with all of this container's labels.",
    ),
  ),
  mode: Type.Optional(
    Type.Unsafe<'Required' | 'Preferred'>({
      type: 'string',
      enum: ['Required', 'Preferred'],
      default: 'Required',
      description: 'Required refuses nodes that break the rule; Preferred only makes them less attractive.',
    }),
  ),
});

export const placementSchema = Type.Object(
  {
    nodeSelector: Type.Optional(stringMap('Labels that the node must have.')),
    tolerations: Type.Optional(
      Type.Array(tolerationSchema, { description: 'Taints of nodes that do not keep the container away.' }),
    ),
    antiAffinity: Type.Optional(
      Type.Array(antiAffinitySchema, {
        description: 'Containers to keep away from. Those that are placed keep new ones away as well.',
      }),
    ),
    spread: Type.Optional(Type.Array(spreadSchema, { description: 'Containers to be spread evenly with.' })),
    nodeName: Type.Optional(
      Type.String({
        description:
          'Pins the container to one node: no other is considered, and this one only if the container fits.',
      }),
    ),
  },
  {
    description:
      'Where the container may run. Looked at when it is placed; a container that runs is not moved.',
  },
);

export type Placement = Static<typeof placementSchema>;
export type Toleration = Static<typeof tolerationSchema>;
export type AntiAffinity = Static<typeof antiAffinitySchema>;
export type Spread = Static<typeof spreadSchema>;
