import {
  type CertificateSigningRequest,
  CLIENT_SIGNER,
  LIFE_EXTRA,
  NODE_SIGNER,
  NODE_USAGES,
  RENEWAL_ANNOTATION,
  SHORTEST_SECONDS,
} from '../../crds/certificate-signing-request.ts';
import type { KubeObject } from '../../crds/object.ts';
import { ADMIN_GROUP, NODE_USER_PREFIX, NODES_GROUP } from '../auth/user.ts';
import type { SigningRequest } from '../pki/signing-request.ts';

/**
 * Which requests are approved without a person, and which can be signed at all. Nothing is approved by itself but a node's
 * request to go on as what it is: the same name, the same uses, no longer life than the certificate that it asks with.
 */
const CLIENT_USAGES = new Set(['client auth', 'digital signature', 'key encipherment']);
const DEFAULT_SECONDS = 365 * 86_400;

/** The signers of this API server; requests for any other are somebody else's. */
export const isOurs = ({ spec }: CertificateSigningRequest): boolean =>
  spec.signerName === NODE_SIGNER || spec.signerName === CLIENT_SIGNER;

/** @returns why it cannot be signed, also if a person approves it; undefined: it can */
export function signingFault(
  { spec }: CertificateSigningRequest,
  asked: Omit<SigningRequest, 'publicKey' | 'isOwnKey'>,
): string | undefined {
  if (asked.fault !== undefined) return asked.fault;
  return spec.signerName === NODE_SIGNER
    ? nodeFault(spec.usages ?? [], asked)
    : clientFault(spec.usages ?? [], asked);
}

type Asked = Pick<SigningRequest, 'commonName' | 'organizations'>;

function nodeFault(usages: readonly string[], { commonName, organizations }: Asked): string | undefined {
  if (!isNodeName(commonName) || organizations.join() !== NODES_GROUP) {
    return `the subject must be O=${NODES_GROUP}, CN=${NODE_USER_PREFIX}<name>`;
  }
  const isWhole = usages.length === NODE_USAGES.length && NODE_USAGES.every((one) => usages.includes(one));
  return isWhole ? undefined : `the usages must be ${NODE_USAGES.join(', ')}`;
}

function clientFault(usages: readonly string[], { commonName, organizations }: Asked): string | undefined {
  const reserved = [ADMIN_GROUP, NODES_GROUP].find((group) => organizations.includes(group));
  if (reserved !== undefined) return `the group ${reserved} is not given by this signer`;
  if (commonName.startsWith(NODE_USER_PREFIX)) return 'a name of a node is not given by this signer';
  const foreign = usages.find((usage) => !CLIENT_USAGES.has(usage));
  if (foreign !== undefined) return `the usage ${foreign} is not given by this signer`;
  return usages.includes('client auth') ? undefined : 'the usages must contain client auth';
}

const isNodeName = (user: string): boolean =>
  user.startsWith(NODE_USER_PREFIX) && user.length > NODE_USER_PREFIX.length;

/**
 * @param node of the name that is asked for, as far as it is known
 * @returns why a person has to decide; undefined: it is approved
 */
export function approvalFault(
  { spec }: CertificateSigningRequest,
  { commonName }: Asked,
  node: KubeObject | undefined,
): string | undefined {
  if (spec.signerName !== NODE_SIGNER) return 'only renewals of nodes are approved by themselves';
  const isSelf = spec.username === commonName && spec.groups?.includes(NODES_GROUP) === true;
  if (!isSelf) return 'it is not asked for by that node';
  if (node === undefined) return 'there is no such Node';
  if (node.metadata.annotations?.[RENEWAL_ANNOTATION] === 'manual')
    return `the Node says ${RENEWAL_ANNOTATION}: manual`;
  const longest = Math.max(SHORTEST_SECONDS, presentSeconds(spec));
  return lifeSeconds(spec) <= longest ? undefined : 'it is to last longer than the present one';
}

/** How long a certificate for the request lasts, from its begin to its end. */
export function lifeSeconds(spec: CertificateSigningRequest['spec']): number {
  if (spec.expirationSeconds !== undefined) return spec.expirationSeconds;
  return spec.signerName === NODE_SIGNER ? Math.max(SHORTEST_SECONDS, presentSeconds(spec)) : DEFAULT_SECONDS;
}

function presentSeconds({ extra }: CertificateSigningRequest['spec']): number {
  const seconds = Number(extra?.[LIFE_EXTRA]?.[0]);
  return Number.isFinite(seconds) ? seconds : 0;
}
