import type { KubeObject } from '../../crds/object.ts';
import type { Attributes } from './attributes.ts';
import { nodeAuthorizer } from './node-authorizer.ts';
import { ADMIN_GROUP } from './user.ts';

/**
 * Who may do what. Authorizers are asked in order, as in Kubernetes: the first that allows decides, and nobody may do what
 * none allows. RBAC joins them as one more.
 */
export interface Authorizer {
  authorize(attributes: Attributes): Promise<Decision> | Decision;
}

export type Decision =
  | {
      allowed: true;
      /** What the object must be like besides; absent: anything. */ restriction?: Restriction;
    }
  | { allowed: false; /** Shown to the user; may be empty. */ reason: string };

/**
 * A rule on the object itself, for writes that are allowed only on some. The caller reads the object, asks, and makes its
 * write conditional on the resourceVersion that it asked about.
 */
export interface Restriction {
  /** @returns why not; undefined when it may be done. `existing` is absent on create */
  refuse(existing: KubeObject | undefined, change: Change): string | undefined;
}

export type Change =
  | { type: 'create' | 'update'; object: KubeObject }
  | { type: 'patch'; patchType: 'json' | 'merge' | 'strategic-merge'; body: unknown };

const NO_OPINION: Decision = { allowed: false, reason: '' };

const adminAuthorizer: Authorizer = {
  authorize: ({ user }) => (user.groups.includes(ADMIN_GROUP) ? { allowed: true } : NO_OPINION),
};

const DISCOVERY_PATHS = /^\/(api|apis|openapi|version|livez|readyz|healthz)(\/|$)/;
const REVIEWS = new Set(['selfsubjectreviews', 'selfsubjectaccessreviews']);

/** Everybody with a certificate may look at what there is, and ask about themselves. */
const discoveryAuthorizer: Authorizer = {
  authorize(attributes) {
    if (attributes.isResource) {
      const isReview = attributes.verb === 'create' && REVIEWS.has(attributes.resource);
      return isReview ? { allowed: true } : NO_OPINION;
    }
    const isRead = attributes.verb === 'get' || attributes.verb === 'head';
    return isRead && DISCOVERY_PATHS.test(attributes.path) ? { allowed: true } : NO_OPINION;
  },
};

/** The first that allows decides; otherwise the reasons of all are put together. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return {
    async authorize(attributes) {
      const reasons: string[] = [];
      for (const authorizer of authorizers) {
        const decision = await authorizer.authorize(attributes);
        if (decision.allowed) return decision;
        if (decision.reason !== '') reasons.push(decision.reason);
      }
      return { allowed: false, reason: reasons.join(', ') };
    },
  };
}

export const defaultAuthorizer = (): Authorizer =>
  unionAuthorizer([adminAuthorizer, nodeAuthorizer, discoveryAuthorizer]);
