import type { FieldFault } from '../../crds/kind.ts';
import type { KubeObject, ObjectReference } from '../../crds/object.ts';
import type { JsonSchema, ResourceDefinition } from '../resource.ts';
import { invalidValue } from '../schema/fault.ts';
import { humanDuration } from './human-duration.ts';
import { integer, namesOf, text, time, topSchema } from './shapes.ts';

export interface Event extends KubeObject {
  involvedObject: Partial<ObjectReference>;
  reason?: string;
  message?: string;
  type?: string;
  source?: { component?: string; host?: string };
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string;
  count?: number;
  series?: { count?: number; lastObservedTime?: string };
  reportingComponent?: string;
}

/** As long as the real API server keeps them, after they were last written. */
const EVENT_TTL_MS = 3_600_000;

const reference = (description: string): JsonSchema => ({
  type: 'object',
  description,
  properties: {
    apiVersion: text(''),
    kind: text(''),
    namespace: text(''),
    name: text(''),
    uid: text(''),
    resourceVersion: text(''),
    fieldPath: text(''),
  },
});

export const eventResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  ...namesOf('Event', 'events', ['ev']),
  namespaced: true,
  categories: [],
  schema: topSchema('What happened to an object, for people. Kept for an hour.', {
    involvedObject: { ...reference('The object that it is about.'), default: {} },
    reason: text('CamelCase, for programs.'),
    message: text('What happened.'),
    source: {
      type: 'object',
      description: 'Who reports it.',
      properties: { component: text(''), host: text('') },
    },
    firstTimestamp: time('When it was first seen.'),
    lastTimestamp: time('When it was last seen.'),
    count: integer('How often it was seen.'),
    type: text('Normal or Warning.'),
    eventTime: time('When it was first seen.'),
    series: {
      type: 'object',
      description: 'How it goes on.',
      properties: { count: integer(''), lastObservedTime: time('') },
    },
    action: text('What was done.'),
    related: reference('A second object.'),
    reportingComponent: text('Who reports it.'),
    reportingInstance: text('Which one of them.'),
  }),
  columns: [
    {
      name: 'Last Seen',
      type: 'string',
      jsonPath: '.lastTimestamp',
      description: 'Time since it was last seen.',
    },
    { name: 'Type', type: 'string', jsonPath: '.type', description: 'Normal or Warning.' },
    { name: 'Reason', type: 'string', jsonPath: '.reason', description: 'CamelCase, for programs.' },
    { name: 'Object', type: 'string', jsonPath: '.involvedObject.name', description: 'What it is about.' },
    {
      name: 'Subobject',
      type: 'string',
      jsonPath: '.involvedObject.fieldPath',
      description: 'Which part of it.',
      priority: 1,
    },
    {
      name: 'Source',
      type: 'string',
      jsonPath: '.source.component',
      description: 'Who reports it.',
      priority: 1,
    },
    { name: 'Message', type: 'string', jsonPath: '.message', description: 'What happened.' },
    {
      name: 'First Seen',
      type: 'string',
      jsonPath: '.firstTimestamp',
      description: 'Time since it was first seen.',
      priority: 1,
    },
    {
      name: 'Count',
      type: 'integer',
      jsonPath: '.count',
      description: 'How often it was seen.',
      priority: 1,
    },
    { name: 'Name', type: 'string', jsonPath: '.metadata.name', description: 'Its own name.', priority: 1 },
  ],
  cells: {
    'Last Seen': (object, nowMs) => since(lastSeen(object as Event), nowMs),
    'First Seen': (object, nowMs) => since(firstSeen(object as Event), nowMs),
    Object: (object) => objectCell(object as Event),
    Source: (object) => sourceCell(object as Event),
    Message: (object) => ((object as Event).message ?? '').trim(),
    Count: (object) => countOf(object as Event),
  },
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'type',
  ],
  hasStatus: false,
  isCustom: false,
  allowsUnconditionalUpdate: true,
  expiresAtMs: (object) => expiresAtMs(object as Event),
  validate: (object) => faultsOf(object as Event),
};

function faultsOf({ metadata, involvedObject }: Event): FieldFault[] {
  const expected = involvedObject.namespace ?? 'default';
  if (metadata.namespace === expected) return [];
  return [
    invalidValue(
      'involvedObject.namespace',
      involvedObject.namespace ?? '',
      'does not match event.namespace',
    ),
  ];
}

function expiresAtMs(event: Event): number {
  const times = [event.metadata.creationTimestamp, lastSeen(event)].map((at) => Date.parse(at ?? ''));
  return Math.max(...times.filter((at) => !Number.isNaN(at))) + EVENT_TTL_MS;
}

const firstSeen = (event: Event): string | undefined => event.firstTimestamp ?? event.eventTime;
const lastSeen = (event: Event): string | undefined =>
  event.series?.lastObservedTime ?? event.lastTimestamp ?? firstSeen(event);
const countOf = (event: Event): number => event.series?.count ?? event.count ?? 1;

function since(timestamp: string | undefined, nowMs: number): string {
  return timestamp === undefined ? '<unknown>' : humanDuration(nowMs - Date.parse(timestamp));
}

function objectCell({ involvedObject: { kind = '', name = '' } }: Event): string {
  return name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

function sourceCell({ source, reportingComponent = '' }: Event): string {
  const component = source?.component ?? reportingComponent;
  return source?.host === undefined ? component : `${component}, ${source.host}`;
}
