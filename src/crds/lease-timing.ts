/**
 * How long the steps of a node lease take, as people declare it: in ClusterPolicy, for all nodes and for classes of them. The
 * rules here are those of an apply; what the protocol itself cannot do without is plan/failover/timing.ts.
 */
import { type Static, Type } from 'typebox';
import { DURATION_PATTERN, parseDurationMs } from './duration.ts';
import type { FieldFault } from './kind.ts';

const DEFAULTS = { renew: '1s', duration: '5s', fenceDelay: '3s' } as const;

export const leaseTimingSchema = (description: string) =>
  Type.Object(
    {
      renew: timeSchema(
        'renew',
        'Time between two renewals of the lease, each of which is one write. At least 200ms, and at most a fifth of duration.',
      ),
      duration: timeSchema(
        'duration',
        'How long one renewal permits a node to run what may be recovered elsewhere, counted from when it was sent. At least 5 × renew.',
      ),
      fenceDelay: timeSchema(
        'fenceDelay',
        'What the guard of a node has for stopping its containers when the lease has run out; nothing is placed elsewhere before. At least 500ms, and 25ms more for each second of duration, by which clocks may differ.',
      ),
    },
    { description },
  );

function timeSchema(name: keyof typeof DEFAULTS, description: string) {
  return Type.Optional(
    Type.Unsafe<string>({
      type: 'string',
      pattern: DURATION_PATTERN,
      maxLength: 32,
      default: DEFAULTS[name],
      description,
    }),
  );
}

/** As declared; what is absent has its default. */
export type LeaseTiming = Static<ReturnType<typeof leaseTimingSchema>>;

/** In whole or broken milliseconds. */
export interface LeaseTimingMs {
  renewMs: number;
  durationMs: number;
  fenceDelayMs: number;
}

/** A request needs a part of this for its answer, and each is a write to the store. */
const LEAST_RENEW_MS = 200;
/**
 * Of `renew` in `duration`. Two renewals may be lost or late, and the age at which a node counts as suspect is two more: the
 * peers of a node that is in doubt have to be asked, and to have answered, before its lease runs out.
 */
const LEAST_RENEWALS = 5;
/** Being woken, the daemon's try, SIGKILL, and the end of the processes of a container on a busy host. */
const STOP_MS = 500;
/** Of `duration`: the clocks of two machines differ by less than 2 %, and what is lost that way has to come from fenceDelay. */
const DRIFT = 0.025;
const MOST_MS = 3_600_000;

/** @returns undefined when a value is no duration */
export function leaseTimingMs(timing: LeaseTiming | undefined): LeaseTimingMs | undefined {
  const { renew, duration, fenceDelay } = { ...DEFAULTS, ...timing };
  const [renewMs, durationMs, fenceDelayMs] = [renew, duration, fenceDelay].map(parseDurationMs);
  if (renewMs === undefined || durationMs === undefined || fenceDelayMs === undefined) return undefined;
  return { renewMs, durationMs, fenceDelayMs };
}

/** The least `fenceDelay` that goes with a duration, in milliseconds. */
export function leastFenceDelayMs(durationMs: number): number {
  return STOP_MS + durationMs * DRIFT;
}

/** @param path of the object: `spec.nodeLease` @returns what is wrong with it, with the rule and the reason for it */
export function leaseTimingFaults(timing: LeaseTiming | undefined, path: string): FieldFault[] {
  const given: Required<LeaseTiming> = { ...DEFAULTS, ...timing };
  const faults: FieldFault[] = [];
  const refuse = (field: keyof LeaseTiming, rule: string): void => {
    const message = `Invalid value: ${JSON.stringify(given[field])}: ${rule}`;
    faults.push({ field: `${path}.${field}`, reason: 'FieldValueInvalid', message });
  };
  const ms = leaseTimingMs(timing);
  if (ms === undefined) {
    for (const field of ['renew', 'duration', 'fenceDelay'] as const) {
      if (parseDurationMs(given[field]) === undefined)
        refuse(field, 'must be a duration such as 500ms or 2s');
    }
    return faults;
  }
  const { renewMs, durationMs, fenceDelayMs } = ms;
  if (renewMs < LEAST_RENEW_MS) {
    refuse(
      'renew',
      `must be at least ${LEAST_RENEW_MS}ms: the API has to answer each renewal before the next one`,
    );
  }
  if (durationMs > MOST_MS) refuse('duration', 'must be at most 1h');
  if (fenceDelayMs > MOST_MS) refuse('fenceDelay', 'must be at most 1h');
  if (durationMs < renewMs * LEAST_RENEWALS) {
    refuse(
      'duration',
      `must be at least ${LEAST_RENEWALS} × renew (${renewMs * LEAST_RENEWALS}ms): one or two renewals that are lost must not end a lease, and a node that is in doubt has to ask its peers before it does`,
    );
  }
  const leastMs = leastFenceDelayMs(durationMs);
  if (fenceDelayMs < leastMs) {
    refuse(
      'fenceDelay',
      `must be at least ${Math.ceil(leastMs)}ms with a duration of ${given.duration}: the guard needs 500ms for stopping containers, and clocks may differ by 2 % of the duration. A watchdog makes it no shorter: it acts when the guard has failed`,
    );
  }
  return faults;
}
