import jsonPatch, { type Operation } from 'fast-json-patch';
import { messageOf } from '../../ports/errors.ts';
import { ApiError, badRequest } from '../status.ts';

const MAX_OPERATIONS = 10_000;

/**
 * JSON patch (RFC 6902): the patched copy of `target`.
 * @throws ApiError 400 when `patch` is not a list of operations, 422 when one cannot be applied (a failed test among them)
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${patch === null ? 'null' : typeof patch} into Go value of type jsonpatch.Patch`,
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    throw new ApiError(
      413,
      'RequestEntityTooLarge',
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  try {
    return jsonPatch.applyPatch(structuredClone(target), patch as Operation[], true, true, true).newDocument;
  } catch (error) {
    throw refused(error);
  }
}

/** Kubernetes' own words say nothing of the cause; it is added where kubectl shows it. */
function refused(error: unknown): ApiError {
  const [why = ''] = messageOf(error).split('\n');
  return new ApiError(
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
    { causes: [{ reason: 'UnexpectedServerResponse', message: why }] },
    error,
  );
}
