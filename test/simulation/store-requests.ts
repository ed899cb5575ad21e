import type { Host } from './host.ts';
import type { Endpoint, Network } from './network.ts';

interface Asker {
  network: Network;
  me: Endpoint;
  host: Host;
  /** For the process that asks alone: the connection is its own, and one that was started later never reads the answer. */
  asAgent: (run: () => void) => () => void;
}

/** Asks the store, and waits for the answer only so long: of `answered` and `failed` one is called, once. */
export type StoreRequest = <T>(
  ask: () => T,
  answered: (reply: T) => void,
  failed: () => void,
  withinMs: number,
) => void;

export function storeRequests({ network, me, host, asAgent }: Asker): StoreRequest {
  return <T>(ask: () => T, answered: (reply: T) => void, failed: () => void, withinMs: number): void => {
    let isDone = false;
    let reply: T;
    const heard = asAgent(() => {
      if (isDone) return;
      isDone = true;
      answered(reply);
    });
    const late = asAgent(() => {
      if (isDone) return;
      isDone = true;
      failed();
    });
    network.send(me, undefined, () => {
      reply = ask();
      network.send(undefined, me, heard);
    });
    host.after(withinMs, () => {
      if (!isDone) late();
    });
  };
}
