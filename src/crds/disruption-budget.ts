import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { AGE_COLUMN, GROUP, type KindDefinition, VERSION } from './kind.ts';
import type { KubeObject } from './object.ts';
import { stringMap } from './placement.ts';

/** A whole number, or a share such as `25%`. */
export type IntOrPercent = number | string;

const spec = Type.Object(
  {
    selector: Type.Object(
      { matchLabels: stringMap('Labels of the containers, in the same namespace; {} selects all.') },
      { description: 'The containers that the budget is about.' },
    ),
    maxUnavailable: Type.Unsafe<IntOrPercent>({
      description:
        'How many of them may be away at once because of drains and rebalancing: a number, or a share of those that are to run (25%), rounded up. Containers that are not Ready count as away.',
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      minimum: 0,
      pattern: '^(100|[0-9]{1,2})%$',
      'x-kubernetes-int-or-string': true,
    }),
  },
  { description: 'What people want.' },
);

const status = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that all this is about.' }),
    ),
    expected: Type.Optional(Type.Integer({ description: 'How many containers it selects that are to run.' })),
    available: Type.Optional(
      Type.Integer({ description: 'Those of them that are Ready and are not being moved.' }),
    ),
    allowed: Type.Optional(Type.Integer({ description: 'How many more may be away now.' })),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the controllers saw last.' },
);

export type DisruptionBudgetSpec = Static<typeof spec>;
export type DisruptionBudgetStatus = Static<typeof status>;

/** How many containers of a kind may be moved at once. */
export interface DisruptionBudget extends KubeObject {
  spec: DisruptionBudgetSpec;
  status?: DisruptionBudgetStatus;
}

export const disruptionBudgetKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'DisruptionBudget',
  listKind: 'DisruptionBudgetList',
  resource: 'disruptionbudgets',
  singular: 'disruptionbudget',
  shortNames: ['db'],
  categories: ['hostler'],
  namespaced: true,
  description: 'How many of some containers drains and rebalancing may take away at once.',
  spec,
  status,
  columns: [
    {
      name: 'Max-Unavailable',
      type: 'string',
      jsonPath: '.spec.maxUnavailable',
      description: 'How many may be away at once.',
    },
    {
      name: 'Expected',
      type: 'integer',
      jsonPath: '.status.expected',
      description: 'How many it selects that are to run.',
    },
    {
      name: 'Available',
      type: 'integer',
      jsonPath: '.status.available',
      description: 'Those of them that are Ready and are not being moved.',
    },
    {
      name: 'Allowed',
      type: 'integer',
      jsonPath: '.status.allowed',
      description: 'How many more may be away now.',
    },
    AGE_COLUMN,
  ],
  selectableFields: [],
};
