import {
  type CertificateSigningRequest,
  certificateSigningRequestRef,
  LIFE_EXTRA,
  SHORTEST_SECONDS,
  type SigningCondition,
} from '../../crds/certificate-signing-request.ts';
import { AGE_COLUMN, type FieldFault } from '../../crds/kind.ts';
import { messageOf } from '../../ports/errors.ts';
import type { UserInfo } from '../auth/user.ts';
import { readSigningRequest } from '../pki/signing-request.ts';
import type { ResourceDefinition } from '../resource.ts';
import { duplicate, forbiddenField, invalidValue, required, unsupportedValue } from '../schema/fault.ts';
import { isEqualJson } from '../schema/value.ts';
import { humanDuration } from './human-duration.ts';
import { integer, namesOf, text, time, topSchema } from './shapes.ts';

/** Decided ones go after an hour, those that nobody decides about after a day, as in Kubernetes. */
const DECIDED_TTL_MS = 3_600_000;
const PENDING_TTL_MS = 24 * 3_600_000;
const SIGNER_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-\w.:]*[A-Za-z0-9])?$/;
/** Those of Kubernetes, in its order. */
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const texts = (description: string) => ({ type: 'array', description, items: text('') });

export const certificateSigningRequestResource: ResourceDefinition = {
  group: certificateSigningRequestRef.group,
  version: certificateSigningRequestRef.version,
  ...namesOf(certificateSigningRequestRef.kind, certificateSigningRequestRef.resource, ['csr']),
  namespaced: false,
  categories: [],
  schema: {
    ...topSchema('Asks for a certificate of the cluster. Kept for an hour once it is decided about.', {
      spec: {
        type: 'object',
        description: 'What is asked for. Cannot be changed.',
        required: ['request', 'signerName'],
        properties: {
          request: text('A PKCS #10 request in PEM, in base64.'),
          signerName: text('Who is to sign it: hostler.dev/node or kubernetes.io/kube-apiserver-client.'),
          expirationSeconds: integer('How long the certificate lasts, from its begin to its end.'),
          usages: texts('What the key may be used for.'),
          username: text('Who asks. Set by the server.'),
          uid: text(''),
          groups: texts('The groups of who asks. Set by the server.'),
          extra: {
            type: 'object',
            description: 'What else is known of who asks. Set by the server.',
            additionalProperties: texts(''),
          },
        },
      },
      status: {
        type: 'object',
        default: {},
        properties: {
          conditions: {
            type: 'array',
            description: 'Approved, Denied or Failed.',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['type'],
            items: {
              type: 'object',
              required: ['type', 'status'],
              properties: {
                type: text('Approved, Denied or Failed.'),
                status: text('True.'),
                reason: text(''),
                message: text(''),
                lastUpdateTime: time('When it was last written.'),
                lastTransitionTime: time('When it came to be.'),
              },
            },
          },
          certificate: text('The certificate in PEM, in base64, once it is signed.'),
        },
      },
    }),
    required: ['spec'],
  },
  columns: [
    AGE_COLUMN,
    { name: 'SignerName', type: 'string', jsonPath: '.spec.signerName', description: 'Who is to sign it.' },
    { name: 'Requestor', type: 'string', jsonPath: '.spec.username', description: 'Who asks.' },
    {
      name: 'RequestedDuration',
      type: 'string',
      jsonPath: '.spec.expirationSeconds',
      description: 'How long the certificate is to last.',
    },
    {
      name: 'Condition',
      type: 'string',
      jsonPath: '.status.conditions[*].type',
      description: 'What was decided.',
    },
  ],
  cells: {
    RequestedDuration: (object) => durationCell(object as CertificateSigningRequest),
    Condition: (object) => conditionCell(object as CertificateSigningRequest),
  },
  selectableFields: ['spec.signerName'],
  hasStatus: true,
  hasApproval: true,
  isCustom: false,
  allowsUnconditionalUpdate: true,
  stamp: (object, user) => stamped(object as CertificateSigningRequest, user),
  prepare: (object, old) =>
    prepared(object as CertificateSigningRequest, old as CertificateSigningRequest | undefined),
  validate: (object, old) =>
    faultsOf(object as CertificateSigningRequest, old as CertificateSigningRequest | undefined),
  expiresAtMs: (object) => expiresAtMs(object as CertificateSigningRequest),
};

/** Who asks is what the connection says, whatever the body does. */
function stamped(request: CertificateSigningRequest, user: UserInfo): CertificateSigningRequest {
  // Whether there is a spec at all is validated later.
  const { uid: _uid, ...spec } = (request.spec ?? {}) as CertificateSigningRequest['spec'] & { uid?: string };
  const { certificateSeconds: seconds } = user;
  const extra = seconds === undefined ? {} : { [LIFE_EXTRA]: [String(seconds)] };
  return { ...request, spec: { ...spec, username: user.name, groups: [...user.groups], extra } };
}

function prepared(
  request: CertificateSigningRequest,
  old: CertificateSigningRequest | undefined,
): CertificateSigningRequest {
  return old === undefined ? { ...request, status: {} } : { ...request, spec: old.spec };
}

function faultsOf(
  { spec, status = {} }: CertificateSigningRequest,
  old: CertificateSigningRequest | undefined,
): FieldFault[] {
  const conditions = status.conditions ?? [];
  if (old !== undefined) return conditionFaults(conditions, old.status?.conditions ?? []);
  const { usages = [], expirationSeconds = SHORTEST_SECONDS, signerName } = spec;
  return [
    ...requestFaults(spec.request),
    ...(SIGNER_NAME.test(signerName)
      ? []
      : [
          invalidValue(
            'spec.signerName',
            signerName,
            'must be a fully qualified domain and path of the form "example.com/signer-name"',
          ),
        ]),
    ...(usages.length === 0 ? [required('spec.usages', 'usages must be specified')] : []),
    ...usages
      .filter((usage) => !USAGES.includes(usage))
      .map((usage) => unsupportedValue('spec.usages', usage, USAGES)),
    ...(expirationSeconds >= SHORTEST_SECONDS
      ? []
      : [
          invalidValue(
            'spec.expirationSeconds',
            expirationSeconds,
            `may not specify a duration less than ${SHORTEST_SECONDS} seconds (10 minutes)`,
          ),
        ]),
  ];
}

function requestFaults(request: string): FieldFault[] {
  try {
    readSigningRequest(request);
    return [];
  } catch (error) {
    return [invalidValue('spec.request', request, messageOf(error))];
  }
}

const FINAL = ['Approved', 'Denied', 'Failed'];

/** What was decided stays decided. */
function conditionFaults(next: readonly SigningCondition[], old: readonly SigningCondition[]): FieldFault[] {
  const field = 'status.conditions';
  const types = next.map(({ type }) => type);
  const repeated = types.find((type, position) => types.indexOf(type) !== position);
  if (repeated !== undefined) return [duplicate(`${field}[${types.lastIndexOf(repeated)}].type`, repeated)];
  if (types.includes('Approved') && types.includes('Denied')) {
    return [invalidValue(field, 'Denied', 'Approved and Denied conditions are mutually exclusive')];
  }
  const notTrue = next.find(({ type, status }) => FINAL.includes(type) && status !== 'True');
  if (notTrue !== undefined) return [unsupportedValue(`${field}.status`, notTrue.status, ['True'])];
  const lost = old.find(
    ({ type, status }) =>
      FINAL.includes(type) && !next.some((one) => isEqualJson([one.type, one.status], [type, status])),
  );
  return lost === undefined
    ? []
    : [forbiddenField(field, `updates may not remove a condition of type "${lost.type}"`)];
}

function expiresAtMs({ metadata, status }: CertificateSigningRequest): number {
  const createdMs = Date.parse(metadata.creationTimestamp ?? '');
  const decided = status?.conditions?.map(({ lastUpdateTime = '' }) => Date.parse(lastUpdateTime)) ?? [];
  const decidedMs = Math.max(...decided.filter((at) => !Number.isNaN(at)));
  return Number.isFinite(decidedMs) ? decidedMs + DECIDED_TTL_MS : createdMs + PENDING_TTL_MS;
}

function durationCell({ spec: { expirationSeconds } }: CertificateSigningRequest): string {
  return expirationSeconds === undefined ? '<none>' : humanDuration(expirationSeconds * 1_000);
}

/** As kubectl shows it: `Approved,Issued`. */
function conditionCell({ status }: CertificateSigningRequest): string {
  const types = FINAL.filter((type) =>
    status?.conditions?.some((one: SigningCondition) => one.type === type),
  );
  const shown = [...types, ...(status?.certificate === undefined ? [] : ['Issued'])];
  return shown.length === 0 ? 'Pending' : shown.join(',');
}
