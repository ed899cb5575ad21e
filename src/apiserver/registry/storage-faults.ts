import { errorCode, messageOf } from '../../ports/errors.ts';
import { saysNoLeader } from '../../ports/storage.ts';
import { ApiError, expired, internal, timeout, unavailable } from '../status.ts';

/**
 * What is lost and what is not, for a person who sees it in kubectl. Without a Retry-After: an election has been waited for already, and
 * kubectl would repeat the request for a minute before it says anything.
 */
const NO_LEADER =
  'etcd has no leader, since most of its members are down or cut off: nothing can be written and no latest state be read until a majority is back. ' +
  'Reads with resourceVersion=0 are answered with what this server saw last, and containers run on';

const FATE_UNKNOWN = `Timeout: whether the request was carried out is not known: ${NO_LEADER}`;

/** What a failure of the store is for the client: 503 and 504 say that it may try again. */
export function apiErrorOf(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  switch (errorCode(error)) {
    case 'Expired':
      return expired('The resourceVersion for the provided list is too old.');
    case 'Timeout':
    case 'Aborted':
      if (saysNoLeader(error)) return new ApiError(504, 'Timeout', FATE_UNKNOWN, {}, error);
      return timeout(
        'Timeout: request did not complete within requested timeout - context deadline exceeded',
        error,
      );
    case 'Unavailable':
    case 'TooManyRequests':
      if (saysNoLeader(error)) return new ApiError(503, 'ServiceUnavailable', NO_LEADER, {}, error);
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
