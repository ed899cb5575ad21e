import type { FieldFault } from '../crds/kind.ts';

/** `meta/v1` Status, the body of every answer that is not the object that was asked for. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string };
  status: 'Success' | 'Failure';
  message: string;
  reason: string;
  details?: StatusDetails;
  code: number;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason?: string; message?: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** A refusal, as Kubernetes words it. Thrown in every layer of the API server and written by the endpoints. */
export class ApiError extends Error {
  readonly status: Status;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ApiError';
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

/** What an error is about: `resource` is the plural name, as Kubernetes' messages have it. */
export interface About {
  group: string;
  resource: string;
  kind: string;
}

const qualified = ({ group, resource }: About): string => (group === '' ? resource : `${resource}.${group}`);
const details = (about: About, name: string): StatusDetails => ({
  name,
  ...(about.group === '' ? {} : { group: about.group }),
  kind: about.resource,
});

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);
export const unauthorized = (): ApiError => new ApiError(401, 'Unauthorized', 'Unauthorized');
export const notFound = (about: About, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(about)} "${name}" not found`, details(about, name));
export const noSuchPath = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
export const alreadyExists = (about: About, name: string): ApiError =>
  new ApiError(409, 'AlreadyExists', `${qualified(about)} "${name}" already exists`, details(about, name));
export const conflict = (about: About, name: string, why: string): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(about)} "${name}": ${why}`,
    details(about, name),
  );
export const forbidden = (about: About, name: string, why: string): ApiError =>
  new ApiError(
    403,
    'Forbidden',
    `${qualified(about)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`,
    details(about, name),
  );
export const methodNotSupported = (about: About, verb: string): ApiError =>
  new ApiError(
    405,
    'MethodNotAllowed',
    `${verb} is not supported on resources of kind "${qualified(about)}"`,
    details(about, ''),
  );
export const unsupportedMediaType = (message: string): ApiError =>
  new ApiError(415, 'UnsupportedMediaType', message);
export const expired = (message: string): ApiError => new ApiError(410, 'Expired', message);
export const timeout = (message: string, cause?: unknown): ApiError =>
  new ApiError(504, 'Timeout', message, { retryAfterSeconds: 1 }, cause);
export const unavailable = (message: string, cause?: unknown): ApiError =>
  new ApiError(503, 'ServiceUnavailable', message, { retryAfterSeconds: 1 }, cause);
export const tooManyRequests = (message: string, retryAfterSeconds: number): ApiError =>
  new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds });
export const internal = (message: string, cause?: unknown): ApiError =>
  new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }, cause);

/** 422 with one cause a fault: `Container.hostler.dev "web" is invalid: spec.image: Required value`. */
export function invalid(about: About, name: string, faults: readonly FieldFault[]): ApiError {
  const kind = about.group === '' ? about.kind : `${about.kind}.${about.group}`;
  const listed = faults.map(({ field, message }) => `${field}: ${message}`);
  const text = listed.length === 1 ? listed[0] : `[${listed.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    ...details(about, name),
    kind: about.kind,
    causes: faults.map(({ field, reason, message }) => ({ reason, message, field })),
  });
}
