import type { Clock } from '../ports/clock.ts';
import { HostlerError } from '../ports/errors.ts';
import type { LiveFact, TransferFacts } from '../ports/host-transfer.ts';
import type { Api } from './api.ts';
import { hostAddresses, type ServerView } from './host.ts';

/** Where other hosts reach the daemon, if anywhere. */
interface Listening {
  api: Api;
  clock: Clock;
  server(signal: AbortSignal): Promise<ServerView>;
  live(signal: AbortSignal): Promise<LiveFact>;
}

const LISTENS_MS = 60_000;

/** What this host can do, and where its daemon is reached. */
export async function transferFacts(options: Listening, signal: AbortSignal): Promise<TransferFacts> {
  const [{ environment }, live] = await Promise.all([options.server(signal), options.live(signal)]);
  const listening = environment.addresses ?? [];
  const own = listening.length > 1 ? await hostAddresses(options.api, environment, signal) : [];
  const preferred = own.flatMap((address) => listening.filter((entry) => isAt(entry, address)));
  const address = [...preferred, ...listening].find(
    (entry) => !isAt(entry, '127.0.0.1') && !isAt(entry, '::1'),
  );
  return {
    ...(address === undefined ? {} : { address: `https://${address}` }),
    certificate: environment.certificate,
    live,
  };
}

function isAt(entry: string, address: string): boolean {
  return entry.startsWith(`${address}:`) || entry.startsWith(`[${address}]:`);
}

/** A container pauses meanwhile, so it is not asked for each offer. A daemon that has just ceased to listen shows at the target. */
export function createListeningCheck(
  options: Pick<Listening, 'server' | 'clock'>,
): (signal: AbortSignal) => Promise<void> {
  const { clock } = options;
  let untilMs = Number.NEGATIVE_INFINITY;
  return async (signal) => {
    if (clock.monotonicMs() < untilMs) return;
    if (((await options.server(signal)).environment.addresses ?? []).length === 0) {
      throw new HostlerError('Invalid', 'the daemon does not listen on the network: set core.https_address');
    }
    untilMs = clock.monotonicMs() + LISTENS_MS;
  };
}
