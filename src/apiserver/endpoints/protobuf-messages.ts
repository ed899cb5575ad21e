/**
 * The messages of Kubernetes' own kinds as they are on the wire (the generated.proto files of k8s.io/api and
 * k8s.io/apimachinery): field numbers and types. kubectl 1.32 and newer write these kinds in protocol buffers.
 */
export type FieldType =
  | 'text'
  | 'integer'
  | 'flag'
  | 'time'
  | 'microTime'
  /** In base64, as JSON has bytes. */
  | 'bytes'
  | 'textMap'
  /** Values in base64, as JSON has bytes. */
  | 'bytesMap'
  /** Lists of texts by key. */
  | 'textsMap'
  | Message;

export interface Field {
  name: string;
  type: FieldType;
  isRepeated?: true;
  /** A pointer in Go: an empty value was set on purpose, and stays. Others are left out when they are empty. */
  isOptional?: true;
}

/** Fields by their numbers. */
export type Message = Readonly<Record<number, Field>>;

const text = (name: string): Field => ({ name, type: 'text' });
const texts = (name: string): Field => ({ name, type: 'text', isRepeated: true });
const optional = (name: string, type: FieldType): Field => ({ name, type, isOptional: true });
const of = (name: string, type: FieldType): Field => ({ name, type });

const ownerReference: Message = {
  1: text('kind'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: optional('controller', 'flag'),
  7: optional('blockOwnerDeletion', 'flag'),
};

const objectMeta: Message = {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  4: text('selfLink'),
  5: text('uid'),
  6: text('resourceVersion'),
  7: of('generation', 'integer'),
  8: of('creationTimestamp', 'time'),
  9: of('deletionTimestamp', 'time'),
  10: optional('deletionGracePeriodSeconds', 'integer'),
  11: of('labels', 'textMap'),
  12: of('annotations', 'textMap'),
  13: { name: 'ownerReferences', type: ownerReference, isRepeated: true },
  14: texts('finalizers'),
};
const metadata = of('metadata', objectMeta);

const namespaceCondition: Message = {
  1: text('type'),
  2: text('status'),
  4: of('lastTransitionTime', 'time'),
  5: text('reason'),
  6: text('message'),
};

const objectReference: Message = {
  1: text('kind'),
  2: text('namespace'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: text('resourceVersion'),
  7: text('fieldPath'),
};

const event: Message = {
  1: metadata,
  2: of('involvedObject', objectReference),
  3: text('reason'),
  4: text('message'),
  5: of('source', { 1: text('component'), 2: text('host') }),
  6: of('firstTimestamp', 'time'),
  7: of('lastTimestamp', 'time'),
  8: of('count', 'integer'),
  9: text('type'),
  10: of('eventTime', 'microTime'),
  11: of('series', { 1: of('count', 'integer'), 2: of('lastObservedTime', 'microTime') }),
  12: text('action'),
  13: of('related', objectReference),
  14: text('reportingComponent'),
  15: text('reportingInstance'),
};

const leaseSpec: Message = {
  1: optional('holderIdentity', 'text'),
  2: optional('leaseDurationSeconds', 'integer'),
  3: of('acquireTime', 'microTime'),
  4: of('renewTime', 'microTime'),
  5: optional('leaseTransitions', 'integer'),
  6: optional('strategy', 'text'),
  7: optional('preferredHolder', 'text'),
};

const accessReviewSpec: Message = {
  1: of('resourceAttributes', {
    1: text('namespace'),
    2: text('verb'),
    3: text('group'),
    4: text('version'),
    5: text('resource'),
    6: text('subresource'),
    7: text('name'),
  }),
  2: of('nonResourceAttributes', { 1: text('path'), 2: text('verb') }),
};

const deleteOptions: Message = {
  1: optional('gracePeriodSeconds', 'integer'),
  2: of('preconditions', { 1: optional('uid', 'text'), 2: optional('resourceVersion', 'text') }),
  3: optional('orphanDependents', 'flag'),
  4: optional('propagationPolicy', 'text'),
  5: texts('dryRun'),
  6: optional('ignoreStoreReadErrorWithClusterBreakingPotential', 'flag'),
};

const signingRequestSpec: Message = {
  1: of('request', 'bytes'),
  2: text('username'),
  3: text('uid'),
  4: texts('groups'),
  5: texts('usages'),
  6: of('extra', 'textsMap'),
  7: text('signerName'),
  8: optional('expirationSeconds', 'integer'),
};

const signingCondition: Message = {
  1: text('type'),
  2: text('reason'),
  3: text('message'),
  4: of('lastUpdateTime', 'time'),
  5: of('lastTransitionTime', 'time'),
  6: text('status'),
};

/** By `<apiVersion> <kind>`. DeleteOptions come under the group of what is deleted: see messageFor. */
const MESSAGES: Readonly<Record<string, Message>> = {
  'v1 Namespace': {
    1: metadata,
    2: of('spec', { 1: texts('finalizers') }),
    3: of('status', {
      1: text('phase'),
      2: { name: 'conditions', type: namespaceCondition, isRepeated: true },
    }),
  },
  'v1 ConfigMap': {
    1: metadata,
    2: of('data', 'textMap'),
    3: of('binaryData', 'bytesMap'),
    4: optional('immutable', 'flag'),
  },
  'v1 Secret': {
    1: metadata,
    2: of('data', 'bytesMap'),
    3: text('type'),
    4: of('stringData', 'textMap'),
    5: optional('immutable', 'flag'),
  },
  'v1 Event': event,
  'coordination.k8s.io/v1 Lease': { 1: metadata, 2: of('spec', leaseSpec) },
  'certificates.k8s.io/v1 CertificateSigningRequest': {
    1: metadata,
    2: of('spec', signingRequestSpec),
    3: of('status', {
      1: { name: 'conditions', type: signingCondition, isRepeated: true },
      2: of('certificate', 'bytes'),
    }),
  },
  'authentication.k8s.io/v1 SelfSubjectReview': {
    1: metadata,
    2: of('status', { 1: of('userInfo', { 1: text('username') }) }),
  },
  'authorization.k8s.io/v1 SelfSubjectAccessReview': {
    1: metadata,
    2: of('spec', accessReviewSpec),
    3: of('status', { 1: of('allowed', 'flag'), 2: text('reason'), 3: text('evaluationError') }),
  },
};

export function messageFor(apiVersion: string, kind: string): Message | undefined {
  return kind === 'DeleteOptions' ? deleteOptions : MESSAGES[`${apiVersion} ${kind}`];
}
