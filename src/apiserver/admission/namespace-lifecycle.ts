import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { ApiError, forbidden } from '../status.ts';
import type { AdmissionRule, CreateRequest, LookUp } from './admission.ts';

/** Made at start, and never deleted. */
export const DEFAULT_NAMESPACES: readonly string[] = ['default', NODE_LEASE_NAMESPACE];

/** Objects are created only in namespaces that exist and are not being deleted; the default ones stay. */
export function namespaceLifecycle(lookUp: LookUp): AdmissionRule {
  return {
    async beforeCreate(request) {
      const { namespace } = request.name;
      const namespaces = lookUp('', 'v1', 'namespaces');
      if (namespace === undefined || namespaces === undefined) return;
      const name = { name: namespace };
      const known = await namespaces.get(name, '0', request.call).catch(() => undefined);
      // The cache may not have seen the namespace yet, or show an older one of the same name: a refusal needs a fresh read.
      const isKnownGood = known !== undefined && known.object.metadata.deletionTimestamp === undefined;
      if (isKnownGood) return;
      const { object } = await namespaces.get(name, undefined, request.call);
      if (object.metadata.deletionTimestamp !== undefined) throw terminating(request, namespace);
    },
    beforeDelete({ definition, name }) {
      const isNamespace = definition.group === '' && definition.resource === 'namespaces';
      if (isNamespace && DEFAULT_NAMESPACES.includes(name.name)) {
        return Promise.reject(forbidden(definition, name.name, 'this namespace may not be deleted'));
      }
      return Promise.resolve();
    },
  };
}

function terminating({ definition, name }: CreateRequest, namespace: string): ApiError {
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { status } = forbidden(definition, name.name, why);
  return new ApiError(403, 'Forbidden', status.message, {
    ...status.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}
