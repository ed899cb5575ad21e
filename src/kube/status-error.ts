import { type ErrorCode, HostlerError } from '../ports/errors.ts';

/** `meta/v1` Status, as far as clients look at it. */
interface Status {
  kind?: string;
  reason?: string;
  message?: string;
  code?: number;
  details?: {
    name?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string }[];
  };
}

const byReason: Record<string, ErrorCode> = {
  AlreadyExists: 'AlreadyExists',
  Conflict: 'Conflict',
  Expired: 'Expired',
  Gone: 'Expired',
  Timeout: 'Timeout',
};
const byStatus: Record<number, ErrorCode> = {
  400: 'Invalid',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'Invalid',
  406: 'Invalid',
  409: 'Conflict',
  410: 'Expired',
  413: 'Invalid',
  415: 'Invalid',
  422: 'Invalid',
  429: 'TooManyRequests',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
};

/** What an API server refused, as the error that everything above knows; `details` is the Status. */
export function errorFromStatus(
  httpStatus: number,
  body: unknown,
  retryAfterHeader?: string | string[],
): HostlerError {
  const status: Status = isStatus(body) ? body : {};
  const code = byReason[status.reason ?? ''] ?? byStatus[httpStatus] ?? 'Internal';
  const seconds = status.details?.retryAfterSeconds ?? Number(retryAfterHeader);
  return new HostlerError(code, status.message ?? `The API server answered ${httpStatus}`, {
    details: body,
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}),
  });
}

/** A 404 about the object itself; one about the kind or the path proves nothing about the object. */
export function saysNoSuchObject(error: unknown, name: string): boolean {
  if (!(error instanceof HostlerError) || error.code !== 'NotFound') return false;
  return isStatus(error.details) && error.details.details?.name === name;
}

/** A create in a namespace that is being deleted, or is gone. Nothing is wrong, and nothing more is wanted there. */
export function saysNamespaceEnds(error: unknown): boolean {
  if (!(error instanceof HostlerError) || !isStatus(error.details)) return false;
  const { causes = [], kind } = error.details.details ?? {};
  if (error.code === 'NotFound') return kind === 'namespaces';
  return error.code === 'Forbidden' && causes.some(({ reason }) => reason === 'NamespaceTerminating');
}

function isStatus(body: unknown): body is Status {
  return typeof body === 'object' && body !== null && (body as Status).kind === 'Status';
}
