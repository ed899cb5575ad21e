import { type ErrorCode, HostlerError, messageOf } from '../ports/errors.ts';

/**
 * The one place where the daemon's errors become ours. Both daemons answer most bad input with status 500 (and a failed
 * operation has no status at all), so that the message has to be looked at; it is always kept whole.
 */

/** First match wins. Messages are those of Incus 6.0 and LXD 5.0, as measured. */
const BY_MESSAGE: readonly (readonly [RegExp, ErrorCode])[] = [
  // LXD clears up after a pass that was cut short for a moment longer than it says.
  [/already exists on migration target storage/, 'Unavailable'],
  [/already exists|UNIQUE constraint failed/i, 'AlreadyExists'],
  [/daemon is (starting up|shutting down)|not ready/i, 'Unavailable'],
  [/instance is running$|currently in use|is busy running|currently running a/i, 'Conflict'],
  [
    /Invalid (config|devices|option|value|instance name|profile)|Unknown configuration key|Device validation failed|Failed add validation|Cannot update root disk|Storage pool not found|Network not found|Architecture isn't supported|Image not provided|Source path .* doesn't exist|Pool cannot be shrunk|Pool source cannot be changed/,
    'Invalid',
  ],
  [/connection refused|no such host|i\/o timeout|network is unreachable|TLS handshake/i, 'Unavailable'],
];

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'Invalid',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  412: 'Conflict',
  429: 'TooManyRequests',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
};

/**
 * @param status of the HTTP answer or in its body; 0 for a failed operation
 * @param message the daemon's own
 */
export function daemonFault(status: number, message: string): HostlerError {
  // Missing itself, or missing something that it names: the latter is bad input, whatever the status.
  if (status === 404 && !/Invalid devices|Failed creating instance/.test(message)) {
    return new HostlerError('NotFound', message);
  }
  const rule = BY_MESSAGE.find(([pattern]) => pattern.test(message));
  const code = rule?.[1] ?? BY_STATUS[status] ?? 'Internal';
  return new HostlerError(code, message === '' ? `the daemon answered with status ${status}` : message);
}

/** Set on an Unavailable error when the request may have arrived: its reply was lost. */
interface LostReply {
  lostReply: true;
}

const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const REFUSED = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * What went wrong on the way to the daemon or back.
 * @param signal of the request: when it was aborted, its reason is what counts
 */
export function connectionFault(error: unknown, signal: AbortSignal): HostlerError {
  if (signal.aborted) return abortFault(signal);
  if (error instanceof HostlerError) return error;
  const code = codeOf(error);
  const message = messageOf(error);
  if (LOST.has(code)) {
    const details: LostReply = { lostReply: true };
    return new HostlerError('Unavailable', `the daemon closed the connection: ${message}`, {
      cause: error,
      details,
    });
  }
  if (REFUSED.has(code)) {
    return new HostlerError('Unavailable', `the daemon cannot be reached: ${message}`, { cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new HostlerError('Forbidden', `the daemon's socket cannot be opened: ${message}`, {
      cause: error,
    });
  }
  if (/^(ERR_TLS|CERT_|DEPTH_ZERO|UNABLE_TO|SELF_SIGNED|ERR_SSL)/.test(code)) {
    return new HostlerError('Unauthorized', `no trusted connection to the daemon: ${message}`, {
      cause: error,
    });
  }
  return new HostlerError('Internal', `the request to the daemon failed: ${message}`, { cause: error });
}

/** The reason of an aborted signal as an error of ours: `Timeout` for a deadline, else `Aborted`. */
export function abortFault(signal: AbortSignal): HostlerError {
  const { reason } = signal;
  if (reason instanceof HostlerError) return reason;
  return new HostlerError('Aborted', 'the request was given up', { cause: reason });
}

/** Whether a request may have been carried out although its answer never came. */
export function isLostReply(error: unknown): boolean {
  return (
    error instanceof HostlerError && (error.details as Partial<LostReply> | undefined)?.lostReply === true
  );
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === 'string' ? code : codeOf(cause);
}
