import { parseDurationMs } from '../crds/duration.ts';
import type { Clock } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { HostlerError } from '../ports/errors.ts';
import type { Fencer } from '../ports/fencer.ts';
import { runCommand } from './exec.ts';
import { type Credentials, powerOff } from './redfish.ts';

/**
 * Fencing devices of `Node.spec.fencing`: a command, or Redfish over HTTPS. Each call has a deadline, and what does not
 * confirm in time has not confirmed.
 */
export interface FencerOptions {
  clock: Clock;
  /** The Secret's data, decoded; undefined: there is no such Secret in the namespace of the leases. */
  readSecret(name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined>;
}

const DEFAULT_TIMEOUT_MS = 30_000;

export function createFencer(options: FencerOptions): Fencer {
  const { clock } = options;
  return {
    async fence(node, { exec, redfish }, signal) {
      const timeout = exec?.timeout ?? redfish?.timeout;
      const timeoutMs = (timeout === undefined ? undefined : parseDurationMs(timeout)) ?? DEFAULT_TIMEOUT_MS;
      await withDeadline({ clock, timeoutMs, what: `Fencing ${node}` }, signal, async (inner) => {
        if (exec !== undefined) return await runCommand(exec.command, node, inner);
        if (redfish === undefined) throw new HostlerError('Invalid', `Node ${node} has no fencing device`);
        const secret = await options.readSecret(redfish.secretName, inner);
        await powerOff(redfish.url, credentialsOf(redfish.secretName, secret), { clock, signal: inner });
      });
    },
  };
}

function credentialsOf(name: string, secret: Readonly<Record<string, string>> | undefined): Credentials {
  const { username, password, 'ca.crt': caPem } = secret ?? {};
  if (username === undefined || password === undefined) {
    const what = secret === undefined ? 'There is no' : 'username and password must be in the';
    throw new HostlerError(
      'Invalid',
      `${what} Secret hostler-nodes/${name}, which spec.fencing.redfish names`,
    );
  }
  return { username, password, ...(caPem === undefined ? {} : { caPem }) };
}
