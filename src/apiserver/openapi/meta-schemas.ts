import type { JsonSchema } from '../resource.ts';

/** The shapes of `meta/v1` that every kind shares, described for `kubectl explain`. References are written as names. */

const PREFIX = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
export const metaName = (kind: string): string => `${PREFIX}${kind}`;

const text = (description: string): JsonSchema => ({ type: 'string', description });
const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description });
const flag = (description: string): JsonSchema => ({ type: 'boolean', description });
const long = (description: string): JsonSchema => ({ type: 'integer', format: 'int64', description });
const texts = (description: string): JsonSchema => ({
  type: 'array',
  description,
  items: { type: 'string' },
});
const textMap = (description: string): JsonSchema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
});

export const typeMeta: Record<string, JsonSchema> = {
  apiVersion: text('The group and version of the API that this object is written for.'),
  kind: text('Which kind of object this is.'),
};

export const metaSchemas: Record<string, JsonSchema> = {
  [metaName('ObjectMeta')]: {
    type: 'object',
    description: 'What every stored object has: its name, its identity, and what people attach to it.',
    properties: {
      name: text('Unique among objects of its kind in its namespace. Cannot be changed.'),
      generateName: text('Used when there is no name: the server appends a random suffix.'),
      namespace: text('The scope of the name. Cannot be changed.'),
      uid: text(
        'Tells this object from all others, earlier ones of the same name included. Set by the server.',
      ),
      resourceVersion: text(
        'Changes with every write. An update that carries it is refused when the object has changed since. Set by the server.',
      ),
      generation: long('Counts the changes of the desired state. Set by the server.'),
      creationTimestamp: time('When it was created. Set by the server.'),
      deletionTimestamp: time('When it is, or was, to be deleted. Set by the server.'),
      deletionGracePeriodSeconds: long('How long it may take to end. Set by the server.'),
      labels: textMap('Keys and values by which objects are selected.'),
      annotations: textMap('Keys and values that programs attach; nothing is selected by them.'),
      finalizers: {
        ...texts('Who still has to act before the object goes away.'),
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-patch-strategy': 'merge',
      },
      ownerReferences: {
        type: 'array',
        description: 'Objects that this one belongs to. When all of them are gone, it is deleted.',
        items: { $ref: metaName('OwnerReference') },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['uid'],
        'x-kubernetes-patch-merge-key': 'uid',
        'x-kubernetes-patch-strategy': 'merge',
      },
      managedFields: {
        type: 'array',
        description: 'Who set which fields.',
        items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        'x-kubernetes-list-type': 'atomic',
      },
    },
  },
  [metaName('OwnerReference')]: {
    type: 'object',
    description: 'Names an object that this one belongs to, in the same namespace or without one.',
    required: ['apiVersion', 'kind', 'name', 'uid'],
    properties: {
      apiVersion: text("The owner's API version."),
      kind: text("The owner's kind."),
      name: text("The owner's name."),
      uid: text("The owner's uid."),
      controller: flag('Whether the owner is the one that manages this object.'),
      blockOwnerDeletion: flag('Whether the owner, deleted in the foreground, waits for this object to go.'),
    },
    'x-kubernetes-map-type': 'atomic',
  },
  [metaName('ListMeta')]: {
    type: 'object',
    description: 'What every list has.',
    properties: {
      resourceVersion: text('The state that the list shows; a watch can go on from here.'),
      continue: text('Asks for the next page.'),
      remainingItemCount: long('How many items are not on this page.'),
    },
  },
  [metaName('Preconditions')]: {
    type: 'object',
    description: 'What must hold before the object is deleted.',
    properties: { uid: text('Its uid.'), resourceVersion: text('Its resourceVersion.') },
  },
  [metaName('DeleteOptions')]: {
    type: 'object',
    description: 'How an object is deleted.',
    properties: {
      ...typeMeta,
      gracePeriodSeconds: long('How long the object may take to end.'),
      propagationPolicy: text('What happens to the objects that it owns: Orphan, Background or Foreground.'),
      orphanDependents: flag('Older form of propagationPolicy.'),
      preconditions: { $ref: metaName('Preconditions'), description: 'What must hold before.' },
      dryRun: texts('All: nothing is deleted.'),
    },
  },
  [metaName('Status')]: {
    type: 'object',
    description: 'The outcome of a request that does not return an object.',
    properties: {
      ...typeMeta,
      metadata: { $ref: metaName('ListMeta'), description: 'Of no interest here.' },
      status: text('Success or Failure.'),
      message: text('For people.'),
      reason: text('CamelCase, for programs.'),
      details: {
        type: 'object',
        description: 'What it is about.',
        'x-kubernetes-preserve-unknown-fields': true,
      },
      code: { type: 'integer', format: 'int32', description: 'The HTTP status.' },
    },
  },
  [metaName('Patch')]: {
    type: 'object',
    description: 'A change, in the form that its media type says.',
  },
};
