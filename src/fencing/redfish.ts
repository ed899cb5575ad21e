import { Agent, request } from 'undici';
import { type Clock, sleep } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';

export interface Credentials {
  username: string;
  password: string;
  /** Of whoever issued the controller's certificate; absent: the machine's own authorities. */
  caPem?: string;
}

const POLL_MS = 500;
const CALL_TIMEOUT_MS = 10_000;
const MAX_BODY = 1_048_576;

/**
 * Switches a ComputerSystem off (Redfish DSP0266: `ComputerSystem.Reset` with `ForceOff`), and looks until its PowerState is
 * `Off`. The answer to the reset is no proof, and a refusal no failure: it may be off already. Only HTTPS, no redirects.
 * @throws Forbidden when the credentials are refused, Unavailable when the management controller does not answer
 */
export async function powerOff(
  url: string,
  credentials: Credentials,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const dispatcher = new Agent({
    headersTimeout: CALL_TIMEOUT_MS,
    bodyTimeout: CALL_TIMEOUT_MS,
    maxResponseSize: MAX_BODY,
    connect: {
      timeout: CALL_TIMEOUT_MS,
      ...(credentials.caPem === undefined ? {} : { ca: credentials.caPem }),
    },
  });
  const { username, password } = credentials;
  const headers = {
    accept: 'application/json',
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
  };
  const base = url.replace(/\/+$/, '');
  const call = async (path: string, body?: object): Promise<{ status: number; text: string }> => {
    try {
      const answer = await request(`${base}${path}`, {
        dispatcher,
        signal,
        method: body === undefined ? 'GET' : 'POST',
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      signal.throwIfAborted();
      throw new HostlerError('Unavailable', `${base} does not answer: ${messageOf(error)}`, { cause: error });
    }
  };
  try {
    const reset = await call('/Actions/ComputerSystem.Reset', { ResetType: 'ForceOff' });
    if (reset.status === 401 || reset.status === 403) {
      throw new HostlerError('Forbidden', `${base} refuses the credentials (${reset.status})`);
    }
    for (;;) {
      const state = powerState(await call(''));
      if (state === 'Off') return;
      if (reset.status >= 400) {
        const message = `${base} does not switch the host off (${reset.status}); its power is ${state ?? 'not known'}`;
        throw new HostlerError('Unavailable', message);
      }
      await sleep(clock, POLL_MS, signal);
      signal.throwIfAborted();
    }
  } finally {
    await dispatcher.destroy();
  }
}

function powerState({ status, text }: { status: number; text: string }): string | undefined {
  if (status !== 200) return undefined;
  try {
    const state = (JSON.parse(text) as { PowerState?: unknown } | null)?.PowerState;
    return typeof state === 'string' ? state : undefined;
  } catch {
    return undefined;
  }
}
