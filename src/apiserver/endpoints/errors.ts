import { errorCode, messageOf } from '../../ports/errors.ts';
import { ApiError, internal, timeout, unavailable } from '../status.ts';

/** Whatever was thrown, as the answer to the client. What is not a refusal of ours is told by its code (ports/errors). */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  switch (errorCode(error)) {
    case 'Timeout':
    case 'Aborted':
      return timeout(
        `Timeout: request did not complete within requested timeout - ${messageOf(error)}`,
        error,
      );
    case 'Unavailable':
      return unavailable(messageOf(error), error);
    default:
      return internal(messageOf(error), error);
  }
}
