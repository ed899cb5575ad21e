import type { UserInfo } from './user.ts';

/** What somebody wants to do, as every authorizer sees it. */
export type Attributes = ResourceAttributes | PathAttributes;

export interface ResourceAttributes {
  isResource: true;
  user: UserInfo;
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  /** Of a list or a watch, as the client wrote it. */
  fieldSelector?: string;
}

export interface PathAttributes {
  isResource: false;
  user: UserInfo;
  verb: string;
  path: string;
}

/** `User "bob" cannot get resource "containers" in API group "hostler.dev" in the namespace "default"` */
export function denial(attributes: Attributes, reason: string): string {
  const why = reason === '' ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(attributes.user.name)} cannot`;
  if (!attributes.isResource)
    return `${who} ${attributes.verb} path ${JSON.stringify(attributes.path)}${why}`;
  const { verb, group, resource, subresource, namespace } = attributes;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where =
    namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}${why}`;
}
