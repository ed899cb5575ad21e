import type { Authorizer } from '../auth/authorizer.ts';
import type { UserInfo } from '../auth/user.ts';
import type { Exchange } from '../http/exchange.ts';
import { badRequest, invalid } from '../status.ts';
import { negotiate } from './accept.ts';
import { decodeBody } from './decode.ts';
import type { ResourceRequest } from './request-info.ts';
import { type Headers, sendValue } from './respond.ts';

/** Questions about oneself (`kubectl auth whoami`, `kubectl auth can-i`), answered at once and never stored. */

const MAX_BODY_BYTES = 64 * 1024;

export async function serveReview(
  exchange: Exchange,
  request: { info: ResourceRequest; user: UserInfo; headers: Headers },
  authorizer: Authorizer,
): Promise<boolean> {
  const { info, user, headers } = request;
  const review = REVIEWS[`${info.group}/${info.version}/${info.resource}`];
  if (review === undefined || info.verb !== 'create') return false;
  const format = negotiate(exchange.header('accept'));
  const { value } = decodeBody(await exchange.readBody(MAX_BODY_BYTES), exchange.header('content-type'));
  const { kind, spec } = (value ?? {}) as { kind?: unknown; spec?: unknown };
  if (kind !== undefined && kind !== review.kind) {
    throw badRequest(`${JSON.stringify(kind)} cannot be handled as a ${review.kind}`);
  }
  const answer = {
    kind: review.kind,
    apiVersion: `${info.group}/${info.version}`,
    metadata: { creationTimestamp: null },
    ...(await review.answer(user, isMap(spec) ? spec : {}, authorizer)),
  };
  await sendValue(exchange, headers, { code: 201, value: answer, format });
  return true;
}

interface Review {
  kind: string;
  answer(user: UserInfo, spec: Record<string, unknown>, authorizer: Authorizer): Promise<object>;
}

const REVIEWS: Record<string, Review> = {
  'authentication.k8s.io/v1/selfsubjectreviews': {
    kind: 'SelfSubjectReview',
    answer: ({ name, groups }) => Promise.resolve({ status: { userInfo: { username: name, groups } } }),
  },
  'authorization.k8s.io/v1/selfsubjectaccessreviews': {
    kind: 'SelfSubjectAccessReview',
    async answer(user, spec, authorizer) {
      const decision = await authorizer.authorize(attributesOf(user, spec));
      const isRestricted = decision.allowed && decision.restriction !== undefined;
      const reason = decision.allowed ? (isRestricted ? 'for some objects' : '') : decision.reason;
      return { spec, status: { allowed: decision.allowed, ...(reason === '' ? {} : { reason }) } };
    },
  },
};

function attributesOf(user: UserInfo, spec: Record<string, unknown>) {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isMap(nonResourceAttributes) && !isMap(resourceAttributes)) {
    const { path, verb } = nonResourceAttributes;
    return { isResource: false, user, verb: text(verb), path: text(path) } as const;
  }
  if (!isMap(resourceAttributes) || isMap(nonResourceAttributes)) {
    throw invalid({ group: 'authorization.k8s.io', resource: '', kind: 'SelfSubjectAccessReview' }, '', [
      {
        field: 'spec.resourceAttributes',
        reason: 'FieldValueInvalid',
        message:
          'Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes must be specified',
      },
    ]);
  }
  const { verb, group, version, resource, subresource, namespace, name } = resourceAttributes;
  return {
    isResource: true,
    user,
    verb: text(verb),
    group: text(group),
    version: text(version),
    resource: text(resource),
    ...(text(subresource) === '' ? {} : { subresource: text(subresource) }),
    ...(text(namespace) === '' ? {} : { namespace: text(namespace) }),
    ...(text(name) === '' ? {} : { name: text(name) }),
  } as const;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
