import { kinds } from '../../crds/kinds.ts';
import { resourceFromKind } from '../registry/from-crd.ts';
import type { ResourceDefinition } from '../resource.ts';
import { certificateSigningRequestResource } from './certificate-signing-request.ts';
import { configMapResource } from './config-map.ts';
import { eventResource } from './event.ts';
import { leaseResource } from './lease.ts';
import { namespaceResource } from './namespace.ts';
import { secretResource } from './secret.ts';

/** The kinds of Kubernetes itself that the embedded API server serves. */
export const builtinDefinitions: readonly ResourceDefinition[] = [
  configMapResource,
  eventResource,
  namespaceResource,
  secretResource,
  leaseResource,
  certificateSigningRequestResource,
];

/** Everything that the embedded API server serves: Kubernetes' own kinds and Hostler's. */
export function allDefinitions(): ResourceDefinition[] {
  return [...builtinDefinitions, ...kinds.map(resourceFromKind)];
}
