import type { ResourceRef } from '../../src/crds/object.ts';
import { type ErrorCode, HostlerError } from '../../src/ports/errors.ts';
import type { History } from './object-store-history.ts';

export type FakeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'updateStatus' | 'patch' | 'delete';

export interface FakeCall {
  verb: FakeVerb;
  /** `containers` */
  resource: string;
  /** `namespace/name`, `name`, or empty for list and watch. */
  key: string;
}

/** Which calls a fault hits; absent members match all. */
export interface FaultMatch {
  verb?: FakeVerb;
  resource?: string;
  key?: string;
  /** How many calls it hits. @defaultValue 1 */
  times?: number;
  /** How many calls that match are let through before. @defaultValue 0 */
  after?: number;
}

/** What goes wrong in a FakeObjectStore. */
export interface Faults {
  /** The next calls that match fail, and nothing happens. */
  failNext(error: HostlerError | ErrorCode, match?: FaultMatch): void;
  /** The next calls that match happen, but their reply is lost: they fail with Timeout. */
  loseReply(match?: FaultMatch): void;
  /** The next calls that match get no answer until their signal is aborted, and nothing happens. */
  hangNext(match?: FaultMatch): void;
  /** Reads (get, list) answer as of now, as from a cache that lags. @returns ends it */
  freezeReads(): () => void;
  /** Positions up to now are too old: watches and lists from there fail with Expired. */
  compact(): void;
  /** Ends every open watch, cleanly or with an error. */
  dropWatches(error?: HostlerError | ErrorCode): void;
  /** Watches stay open but nothing arrives, as on a half-open connection. @returns ends it */
  stallWatches(): () => void;
  /** Every open watch gets a bookmark. */
  bookmark(): void;
  /** Every open watch gets all of its events once more. */
  repeatEvents(): void;
  /** How many watches are open: 0 after a clean stop. */
  openWatches(): number;
}

export interface FaultControl {
  faults: Faults;
  calls: FakeCall[];
  readsAsOf(): number | undefined;
  run<T>(
    call: { verb: FakeVerb; ref: ResourceRef; key: string },
    signal: AbortSignal,
    act: () => T,
  ): Promise<T>;
}

interface Planned {
  match: FaultMatch;
  left: number;
  skip: number;
  kind: 'fail' | 'lose' | 'hang';
  error: HostlerError;
}

const toError = (error: HostlerError | ErrorCode): HostlerError =>
  typeof error === 'string' ? new HostlerError(error, `injected: ${error}`) : error;

export function createFaults(history: () => History): FaultControl {
  const calls: FakeCall[] = [];
  const planned: Planned[] = [];
  let asOf: number | undefined;

  const plan = (kind: Planned['kind'], error: HostlerError, match: FaultMatch = {}): void =>
    void planned.push({ kind, error, match, left: match.times ?? 1, skip: match.after ?? 0 });

  const take = (call: FakeCall): Planned | undefined => {
    const index = planned.findIndex(({ match }) => matches(match, call));
    const fault = planned[index];
    if (fault && fault.skip-- > 0) return undefined;
    if (fault && --fault.left === 0) planned.splice(index, 1);
    return fault;
  };

  return {
    calls,
    readsAsOf: () => asOf,
    async run({ verb, ref, key }, signal, act) {
      const call = { verb, resource: ref.resource, key };
      calls.push(call);
      await Promise.resolve();
      if (signal.aborted) throw new HostlerError('Aborted', 'the call was aborted', { cause: signal.reason });
      const fault = take(call);
      if (fault?.kind === 'fail') throw fault.error;
      if (fault?.kind === 'hang') await untilAborted(signal);
      const result = act();
      if (fault?.kind === 'lose') throw fault.error;
      return result;
    },
    faults: {
      failNext: (error, match) => plan('fail', toError(error), match),
      loseReply: (match) => plan('lose', new HostlerError('Timeout', 'injected: the reply was lost'), match),
      hangNext: (match) => plan('hang', new HostlerError('Timeout', 'injected: no answer'), match),
      freezeReads() {
        asOf = history().revision();
        return () => {
          asOf = undefined;
        };
      },
      compact: () => history().compact(),
      dropWatches: (error) => history().dropWatches(error === undefined ? undefined : toError(error)),
      stallWatches() {
        history().stall(true);
        return () => history().stall(false);
      },
      bookmark: () => history().bookmark(),
      repeatEvents: () => history().repeat(),
      openWatches: () => history().openWatches(),
    },
  };
}

function matches(match: FaultMatch, call: FakeCall): boolean {
  return (['verb', 'resource', 'key'] as const).every(
    (field) => match[field] === undefined || match[field] === call[field],
  );
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void =>
      reject(new HostlerError('Timeout', 'injected: no answer', { cause: signal.reason }));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
