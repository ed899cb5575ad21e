/**
 * How the agent of a node gets its next certificate: it makes a key, which never leaves the host, and asks for a certificate
 * for it in its own name. The API server signs what was approved, and approves by itself what only goes on as it was.
 */
import type { KubeObject, ResourceRef } from './object.ts';

/** `certificates.k8s.io/v1` CertificateSigningRequest. */
export interface CertificateSigningRequest extends KubeObject {
  spec: CertificateSigningRequestSpec;
  status?: { conditions?: SigningCondition[]; certificate?: string };
}

export interface CertificateSigningRequestSpec {
  /** PKCS #10 in PEM, in base64. */
  request: string;
  signerName: string;
  usages?: string[];
  /** From the begin of the certificate to its end. */
  expirationSeconds?: number;
  /** Who asks: what the server knows, not what the client says. */
  username?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

export interface SigningCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastUpdateTime?: string;
  lastTransitionTime?: string;
}

export const certificateSigningRequestRef: ResourceRef = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  resource: 'certificatesigningrequests',
  namespaced: false,
};

/** Certificates of agents: their client's for the API, and their server's for each other. */
export const NODE_SIGNER = 'hostler.dev/node';
/** Certificates of people and programs; Kubernetes' own name. Never approved by itself. */
export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
/** What a certificate of NODE_SIGNER is for, all of it. */
export const NODE_USAGES: readonly string[] = ['client auth', 'digital signature', 'server auth'];
/** As in Kubernetes: no certificate is asked for a shorter time. */
export const SHORTEST_SECONDS = 600;
/** The life, in seconds, of the certificate by which the request was made. */
export const LIFE_EXTRA = 'hostler.dev/certificate-life-seconds';
/** On a Node, with the value `manual`: no certificate is approved for it by itself. */
export const RENEWAL_ANNOTATION = 'hostler.dev/certificate-renewal';

/** Requests of a node begin with its name, which has no dot, so that no other's do. */
export const requestPrefix = (nodeName: string): string => `${nodeName}.`;
