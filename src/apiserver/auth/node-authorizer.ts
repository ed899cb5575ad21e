import { GROUP, NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { requestPrefix } from '../../crds/certificate-signing-request.ts';
import { MEMBERS_CONFIG_MAP } from '../../crds/lease.ts';
import type { Attributes, ResourceAttributes } from './attributes.ts';
import { ownReports, transferSecrets } from './node-migrations.ts';
import type { Authorizer, Decision, Restriction } from './authorizer.ts';
import {
  newCertificateRequest,
  newLease,
  newNode,
  ownEvent,
  ownFinalizers,
  ownLabelsAndWord,
  ownLease,
  ownNodeStatus,
  ownStatus,
} from './node-restrictions.ts';
import { NODE_USER_PREFIX, NODES_GROUP } from './user.ts';

/**
 * What the agent of a node may do, and nothing more: read what it needs to decide, and write about itself and about the
 * containers that were placed on it. A host that was broken into must not be able to harm another, to take back what the
 * leader has decided about it, or to place anything. What the objects must be like besides is in node-restrictions.ts.
 */
export const nodeAuthorizer: Authorizer = {
  authorize(attributes) {
    const node = nodeNameOf(attributes);
    if (node === undefined || !attributes.isResource) return denied('');
    const rule = RULES[`${attributes.resource}.${attributes.group}`];
    return rule === undefined ? denied('') : rule(attributes, node);
  },
};

type Rule = (attributes: ResourceAttributes, node: string) => Decision;

const READS = new Set(['get', 'list', 'watch']);
const ALLOWED: Decision = { allowed: true };
const denied = (reason: string): Decision => ({ allowed: false, reason });
const restricted = (restriction: Restriction): Decision => ({ allowed: true, restriction });
const readsAll: Rule = ({ verb, subresource }) =>
  READS.has(verb) && subresource === undefined ? ALLOWED : denied('');

const RULES: Record<string, Rule> = {
  [`nodes.${GROUP}`]: (attributes, node) => {
    const { verb, name, subresource } = attributes;
    // Where a peer is to be asked is in its Node.
    if (verb === 'get') return ALLOWED;
    if (READS.has(verb)) return name === node ? ALLOWED : denied('a node can only list its own Node');
    const reason = 'a node can only write its own Node';
    if (verb === 'create' && subresource === undefined) return restricted(newNode(node, reason));
    if (name !== node) return denied(reason);
    if (subresource === 'status' && isChange(verb)) return restricted(ownNodeStatus);
    const isMain = subresource === undefined;
    return isMain && verb === 'patch' ? restricted(ownLabelsAndWord(node)) : denied(reason);
  },
  [`storagepools.${GROUP}`]: readsAll,
  [`clusterpolicies.${GROUP}`]: readsAll,
  [`containers.${GROUP}`]: (attributes, node) => {
    const { verb, subresource } = attributes;
    if (READS.has(verb)) return readsContainers(attributes, node);
    if (!isChange(verb)) return denied('');
    if (subresource === 'status') return restricted(ownStatus(node));
    return subresource === undefined ? restricted(ownFinalizers(node)) : denied('');
  },
  [`migrations.${GROUP}`]: ({ verb, subresource }, node) => {
    if (READS.has(verb)) return ALLOWED;
    if (subresource !== 'status' || verb !== 'patch') return denied('');
    return { allowed: true, restriction: ownReports(node) };
  },
  'secrets.': transferSecrets,
  'leases.coordination.k8s.io': (attributes, node) => {
    const { verb, namespace, name } = attributes;
    const reason = `a node can only use its own Lease in namespace ${NODE_LEASE_NAMESPACE}`;
    if (namespace !== NODE_LEASE_NAMESPACE) return denied(reason);
    if (verb === 'create') return restricted(newLease(node, reason));
    if (name !== node) return denied(reason);
    if (READS.has(verb)) return ALLOWED;
    return verb === 'update' ? restricted(ownLease) : denied('');
  },
  'configmaps.': ({ verb, namespace, name }) =>
    READS.has(verb) && namespace === NODE_LEASE_NAMESPACE && name === MEMBERS_CONFIG_MAP
      ? ALLOWED
      : denied('a node can only read the list of the nodes that count'),
  // Its own next certificate. Who asks, and whether it is approved, the server says.
  'certificatesigningrequests.certificates.k8s.io': ({ verb, name, subresource }, node) => {
    const reason = 'a node can only ask for its own certificate, by a name that begins with its own';
    if (subresource !== undefined) return denied('');
    if (verb === 'create') return restricted(newCertificateRequest(node, reason));
    return verb === 'get' && name?.startsWith(requestPrefix(node)) === true ? ALLOWED : denied(reason);
  },
  // Its uid tells one cluster from another.
  'namespaces.': ({ verb, name, subresource }) =>
    verb === 'get' && name === NODE_LEASE_NAMESPACE && subresource === undefined ? ALLOWED : denied(''),
  // After a restart an agent goes on counting on the Event that it wrote before.
  'events.': ({ verb }, node) => {
    if (verb === 'get') return ALLOWED;
    return verb === 'create' || verb === 'patch' ? restricted(ownEvent(node)) : denied('');
  },
};

function nodeNameOf({ user }: Attributes): string | undefined {
  if (!user.groups.includes(NODES_GROUP) || !user.name.startsWith(NODE_USER_PREFIX)) return undefined;
  const name = user.name.slice(NODE_USER_PREFIX.length);
  return name === '' ? undefined : name;
}

const isChange = (verb: string): boolean => verb === 'update' || verb === 'patch';

/** One by its name, which may be elsewhere by now and have left something here; and all that are placed on the node. */
function readsContainers({ verb, name, fieldSelector }: ResourceAttributes, node: string): Decision {
  if (verb === 'get' || name !== undefined) return ALLOWED;
  const terms = selectorTerms(fieldSelector);
  const isOwn = terms.some(
    (term) => /^status\.nodeName==?(?<node>.*)$/.exec(term)?.groups?.['node'] === node,
  );
  return isOwn ? ALLOWED : denied('a node can only list the containers that are placed on it');
}

/** A backslash would hide a comma: no name that counts here has one. */
function selectorTerms(fieldSelector = ''): string[] {
  return fieldSelector.includes('\\') ? [] : fieldSelector.split(',');
}
