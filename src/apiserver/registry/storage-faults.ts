import { errorCode, messageOf } from '../../ports/errors.ts';
import { ApiError, expired, internal, timeout, unavailable } from '../status.ts';

/** What a failure of the store is for the client: 503 and 504 say that it may try again. */
export function apiErrorOf(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  switch (errorCode(error)) {
    case 'Expired':
      return expired('The resourceVersion for the provided list is too old.');
    case 'Timeout':
    case 'Aborted':
      return timeout(
        'Timeout: request did not complete within requested timeout - context deadline exceeded',
        error,
      );
    case 'Unavailable':
    case 'TooManyRequests':
      return unavailable('the store is not reachable', error);
    case 'Invalid':
      return new ApiError(
        413,
        'RequestEntityTooLarge',
        `Request entity too large: ${messageOf(error)}`,
        undefined,
        error,
      );
    default:
      return internal(messageOf(error), error);
  }
}

export async function throwingApiErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw apiErrorOf(error);
  }
}
