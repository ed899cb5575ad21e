import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { Attributes, ResourceAttributes } from '../../src/apiserver/auth/attributes.ts';
import { type Authorizer, defaultAuthorizer } from '../../src/apiserver/auth/authorizer.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

interface Role {
  kind: string;
  metadata: { namespace?: string };
  rules?: Rule[];
}

/** The roles of one of `manifests/rbac`, as a Kubernetes API server reads them. */
export interface Roles {
  allow(attributes: ResourceAttributes): boolean;
}

export function readRoles(file: 'agent' | 'controller'): Roles {
  const text = readFileSync(new URL(`../../manifests/rbac/${file}.yaml`, import.meta.url), 'utf8');
  const roles = parseAllDocuments(text)
    .map((document) => document.toJS() as Role)
    .filter(({ rules }) => rules !== undefined);
  return {
    allow: (attributes) =>
      roles.some(
        ({ kind, metadata, rules = [] }) =>
          (kind === 'ClusterRole' || metadata.namespace === namespaceOf(attributes)) &&
          rules.some((rule) => covers(rule, attributes)),
      ),
  };
}

/** In Kubernetes a request for a Namespace is one in that namespace. */
function namespaceOf({ group, resource, namespace, name }: ResourceAttributes): string | undefined {
  return group === '' && resource === 'namespaces' ? name : namespace;
}

function covers(rule: Rule, { verb, group, resource, subresource, name }: ResourceAttributes): boolean {
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`;
  const isNamed =
    rule.resourceNames === undefined || (name !== undefined && rule.resourceNames.includes(name));
  return (
    isNamed && rule.apiGroups.includes(group) && rule.resources.includes(wanted) && rule.verbs.includes(verb)
  );
}

/** The product's authorizer, but that whom `isMeant` means may do what the roles allow *and* the product does. */
export interface RbacProbe extends Authorizer {
  /** What was asked for, as `update leases.coordination.k8s.io`. */
  readonly asked: ReadonlySet<string>;
  /** What of it the roles do not allow. */
  readonly refused: ReadonlySet<string>;
}

export function probeRbac(roles: Roles, isMeant: (attributes: Attributes) => boolean): RbacProbe {
  const asked = new Set<string>();
  const refused = new Set<string>();
  const product = defaultAuthorizer();
  return {
    asked,
    refused,
    authorize(attributes) {
      if (!isMeant(attributes) || !attributes.isResource) return product.authorize(attributes);
      const what = nameOf(attributes);
      asked.add(what);
      if (roles.allow(attributes)) return product.authorize(attributes);
      refused.add(what);
      return { allowed: false, reason: `manifests/rbac does not allow ${what}` };
    },
  };
}

function nameOf({ verb, group, resource, subresource }: ResourceAttributes): string {
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  return `${verb} ${what}${group === '' ? '' : `.${group}`}`;
}
