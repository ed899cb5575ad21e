import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { NODES_GROUP, type UserInfo } from '../../../../src/apiserver/auth/user.ts';
import { type CertificateAuthority, createAuthority } from '../../../../src/apiserver/pki/certificates.ts';
import { nodeIdentity } from '../../../../src/apiserver/pki/cluster-pki.ts';
import {
  type CertificateSigningRequest,
  CLIENT_SIGNER,
  RENEWAL_ANNOTATION,
} from '../../../../src/crds/certificate-signing-request.ts';
import { API_VERSION } from '../../../../src/crds/kind.ts';
import { systemClock as clock } from '../../../../src/ports/clock.ts';
import { type ApiFixture, type Loose, refusalOf, startApi } from '../../../support/registries.ts';
import { draftFor, signingRequest, type Subject } from '../../../support/signing-requests.ts';

/** The registry of CertificateSigningRequests and the loop that approves and signs, over a store in memory. */
const RESOURCE = 'certificatesigningrequests';
const DAY_SECONDS = 86_400;
const subjectOf = (node: string): Subject => nodeIdentity(node);
const userOf = (node: string, certificateSeconds = DAY_SECONDS): UserInfo => ({
  name: nodeIdentity(node).user,
  groups: [NODES_GROUP, 'system:authenticated'],
  certificateSeconds,
});
const admin: UserInfo = { name: 'hostler:admin', groups: ['system:masters'] };

let ca: CertificateAuthority;
let api: ApiFixture;
beforeAll(async () => {
  ca = await createAuthority('test', clock);
});
beforeEach(async () => {
  api = await startApi({ authority: () => Promise.resolve(ca) });
  const node = (name: string, annotations = {}) => ({
    apiVersion: API_VERSION,
    kind: 'Node',
    metadata: { name, annotations },
    spec: {},
  });
  await api.create('nodes', node('host-1'));
  await api.create('nodes', node('held', { [RENEWAL_ANNOTATION]: 'manual' }));
});
afterEach(() => api.stop());

async function ask(
  subject: Subject,
  user: UserInfo,
  spec: Partial<CertificateSigningRequest['spec']> = {},
): Promise<CertificateSigningRequest> {
  const request = signingRequest('asked', await draftFor(ca, subject, clock), spec);
  const call = { user, signal: AbortSignal.timeout(20_000), warn() {} };
  const options = { dryRun: false, fieldValidation: 'Strict' } as const;
  return (await api.registry(RESOURCE).create(undefined, request, options, call))
    .object as CertificateSigningRequest;
}
const read = async () => (await api.get(RESOURCE, 'asked')) as unknown as CertificateSigningRequest;
const decided = () =>
  api.eventually(async () => {
    const request = await read();
    return request.status?.conditions === undefined ? undefined : request;
  });
const certificateIn = ({ status }: CertificateSigningRequest): X509Certificate =>
  new X509Certificate(Buffer.from(status?.certificate ?? '', 'base64'));
const approve = (type = 'Approved') =>
  api.patch(
    RESOURCE,
    'asked',
    { type: 'merge', body: { status: { certificate: 'bm9uZQ==', conditions: [{ type, status: 'True' }] } } },
    { subresource: 'approval' },
  );

describe('a renewal', () => {
  it('is approved and signed: the same name and groups, for as long as was asked', async () => {
    await ask(subjectOf('host-1'), userOf('host-1'), { expirationSeconds: DAY_SECONDS });
    const request = await decided();
    expect(request.status?.conditions).toMatchObject([{ type: 'Approved', reason: 'AutoApproved' }]);
    const certificate = certificateIn(request);
    expect(certificate.subject).toBe(`O=${NODES_GROUP}\nCN=${nodeIdentity('host-1').user}`);
    expect(certificate.verify(new X509Certificate(ca.certificatePem).publicKey)).toBe(true);
    expect(certificate.keyUsage?.sort()).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(DAY_SECONDS * 1_000);
  });

  it('lasts as long as the present certificate where nothing else is asked', async () => {
    await ask(subjectOf('host-1'), userOf('host-1', 7_200));
    const certificate = certificateIn(await decided());
    expect(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)).toBe(7_200_000);
  });

  it.each<[string, string, UserInfo, Partial<CertificateSigningRequest['spec']>]>([
    ['another node asks', 'host-1', userOf('held'), {}],
    ['somebody who is no node asks', 'host-1', admin, {}],
    ['somebody with that name who is no node asks', 'host-1', { ...userOf('host-1'), groups: [] }, {}],
    ['there is no such Node', 'gone', userOf('gone'), {}],
    ['its Node says so', 'held', userOf('held'), {}],
    ['it is to last longer', 'host-1', userOf('host-1', 3_600), { expirationSeconds: 3_601 }],
    ['it is for another signer', 'host-1', userOf('host-1'), { signerName: CLIENT_SIGNER }],
  ])('waits for a person when %s', async (_why, node, user, spec) => {
    await ask(subjectOf(node), user, spec);
    // One that is approved, behind it in the queue: the first was looked at by then.
    const other = signingRequest('other', await draftFor(ca, subjectOf('host-1'), clock));
    const call = { user: userOf('host-1'), signal: AbortSignal.timeout(20_000), warn() {} };
    await api.registry(RESOURCE).create(undefined, other, { dryRun: false, fieldValidation: 'Strict' }, call);
    await api.eventually(async () => {
      const { status } = (await api.get(RESOURCE, 'other')) as unknown as CertificateSigningRequest;
      return status?.certificate;
    });
    expect((await read()).status).toEqual({});
  });

  it.each<[string, string, () => Promise<unknown>]>([
    [
      'is registered after it',
      'late',
      () =>
        api.create('nodes', {
          apiVersion: API_VERSION,
          kind: 'Node',
          metadata: { name: 'late' },
          spec: {},
        } as Loose),
    ],
    [
      'does not ask for a person any more',
      'held',
      () =>
        api.patch('nodes', 'held', {
          type: 'merge',
          body: { metadata: { annotations: { [RENEWAL_ANNOTATION]: null } } },
        }),
    ],
  ])('is approved when its Node %s', async (_what, node, change) => {
    const draft = await draftFor(ca, subjectOf(node), clock);
    const call = { user: userOf(node), signal: AbortSignal.timeout(20_000), warn() {} };
    const options = { dryRun: false, fieldValidation: 'Strict' } as const;
    await api.registry(RESOURCE).create(undefined, signingRequest(`${node}.a`, draft), options, call);
    await change();
    const issued = await api.eventually(async () => {
      const { status } = (await api.get(RESOURCE, `${node}.a`)) as unknown as CertificateSigningRequest;
      return status?.certificate;
    });
    expect(issued).not.toBe('');
  });

  it.each<[string, Subject, Partial<CertificateSigningRequest['spec']>, string]>([
    [
      'a group besides',
      { ...subjectOf('host-1'), groups: [NODES_GROUP, 'system:masters'] },
      {},
      'the subject must be',
    ],
    [
      'a use besides',
      subjectOf('host-1'),
      { usages: ['client auth', 'server auth', 'cert sign'] },
      'the usages must be',
    ],
    ['a use less', subjectOf('host-1'), { usages: ['client auth'] }, 'the usages must be'],
  ])('fails, whoever approves it, with %s', async (_what, subject, spec, message) => {
    await ask(subject, userOf('host-1'), spec);
    const { status } = await decided();
    expect(status).toMatchObject({
      conditions: [
        { type: 'Failed', reason: 'SignerValidationFailure', message: expect.stringContaining(message) },
      ],
    });
    expect(status?.certificate).toBeUndefined();
  });

  it('fails when who asks does not have the key', async () => {
    const [draft, other] = [
      await draftFor(ca, subjectOf('host-1'), clock),
      await draftFor(ca, subjectOf('host-1'), clock),
    ];
    const der = (pem: string) => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const [signed, foreign] = [der(draft.requestPem), der(other.requestPem)];
    // The last bytes are of the signature.
    const forged = Buffer.concat([
      signed.subarray(0, signed.length - 32),
      foreign.subarray(foreign.length - 32),
    ]);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${forged.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    const request = signingRequest('asked', { ...draft, requestPem: pem });
    const call = { user: userOf('host-1'), signal: AbortSignal.timeout(20_000), warn() {} };
    await api
      .registry(RESOURCE)
      .create(undefined, request, { dryRun: false, fieldValidation: 'Strict' }, call);
    expect((await decided()).status?.conditions).toMatchObject([
      { type: 'Failed', message: 'the signature is wrong' },
    ]);
  });
});

describe('a person', () => {
  it('approves what is not a renewal: the certificate of a user, for a client alone', async () => {
    await ask({ user: 'carol', groups: ['dev'] }, admin, {
      signerName: CLIENT_SIGNER,
      usages: ['client auth'],
    });
    const approved = (await approve()) as unknown as CertificateSigningRequest;
    expect(approved.status).toEqual({ conditions: [{ type: 'Approved', status: 'True' }] });
    const request = await api.eventually(async () => {
      const found = await read();
      return found.status?.certificate === undefined ? undefined : found;
    });
    expect(certificateIn(request).subject).toBe('O=dev\nCN=carol');
    expect(certificateIn(request).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });

  it.each<[string, Subject]>([
    ['an administrator', { user: 'carol', groups: ['system:masters'] }],
    ['a node', { user: nodeIdentity('host-1').user }],
    ['a member of the nodes', { user: 'carol', groups: [NODES_GROUP] }],
  ])('cannot make %s in this way', async (_what, subject) => {
    await ask(subject, admin, { signerName: CLIENT_SIGNER, usages: ['client auth'] });
    await approve();
    const { status } = await api.eventually(async () => {
      const found = await read();
      return (found.status?.conditions?.length ?? 0) > 1 ? found : undefined;
    });
    expect(status?.conditions).toMatchObject([{ type: 'Approved' }, { type: 'Failed' }]);
    expect(status?.certificate).toBeUndefined();
  });

  it('denies, for good', async () => {
    await ask({ user: 'carol' }, admin, { signerName: CLIENT_SIGNER, usages: ['client auth'] });
    await approve('Denied');
    expect(await refusalOf(approve())).toMatchObject({
      code: 422,
      message: expect.stringContaining('updates may not remove a condition of type "Denied"'),
    });
  });
});

describe('a request', () => {
  it('says who asks, whatever it says itself, and never changes', async () => {
    const forged = { username: 'hostler:admin', groups: ['system:masters'], extra: { a: ['b'] } };
    const made = await ask(subjectOf('held'), userOf('held'), forged);
    const truth = { username: nodeIdentity('held').user, groups: [NODES_GROUP, 'system:authenticated'] };
    expect(made.spec).toMatchObject({
      ...truth,
      extra: { 'hostler.dev/certificate-life-seconds': ['86400'] },
    });
    await api.patch(RESOURCE, 'asked', { type: 'merge', body: { spec: { username: 'eve' } } });
    expect((await read()).spec).toEqual(made.spec);
  });

  it.each<[string, Partial<CertificateSigningRequest['spec']>, string]>([
    [
      'no request',
      { request: 'eA==' },
      'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
    ],
    ['no use', { usages: [] }, 'spec.usages: Required value'],
    ['a use that there is not', { usages: ['magic'] }, 'spec.usages: Unsupported value: "magic"'],
    ['too short a life', { expirationSeconds: 599 }, 'may not specify a duration less than 600 seconds'],
    ['a signer that is no name', { signerName: 'me' }, 'spec.signerName: Invalid value: "me"'],
  ])('with %s is refused', async (_what, spec, message) => {
    expect(await refusalOf(ask(subjectOf('host-1'), userOf('host-1'), spec))).toMatchObject({
      code: 422,
      message: expect.stringContaining(message),
    });
  });

  it('without a spec is refused', async () => {
    const bare = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'x' },
    };
    expect(await refusalOf(api.create(RESOURCE, bare))).toMatchObject({ code: 422 });
  });

  it('goes an hour after it was decided, or a day after it was made', async () => {
    const { definition } = api.registry(RESOURCE);
    const at = '2026-01-01T00:00:00Z';
    const object = (status: object) =>
      ({ metadata: { name: 'x', creationTimestamp: at }, spec: {}, status }) as never;
    const conditions = [{ type: 'Approved', status: 'True', lastUpdateTime: '2026-01-01T01:00:00Z' }];
    expect(definition.expiresAtMs?.(object({}))).toBe(Date.parse('2026-01-02T00:00:00Z'));
    expect(definition.expiresAtMs?.(object({ conditions }))).toBe(Date.parse('2026-01-01T02:00:00Z'));
  });

  it.each([
    ['Pending', {}],
    ['Approved', { conditions: [{ type: 'Approved' }] }],
    ['Approved,Issued', { conditions: [{ type: 'Approved' }], certificate: 'eA==' }],
    ['Denied', { conditions: [{ type: 'Denied' }] }],
    ['Approved,Failed', { conditions: [{ type: 'Approved' }, { type: 'Failed' }] }],
  ])('is shown as %s', (expected, status) => {
    const cell = api.registry(RESOURCE).definition.cells?.['Condition'];
    expect(cell?.({ spec: {}, status } as never, 0)).toBe(expected);
  });
});
