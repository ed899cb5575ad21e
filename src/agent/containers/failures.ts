import { failureBackoffMs, type Step, type StepFailure } from '../../plan/lifecycle/container.ts';
import type { Clock } from '../../ports/clock.ts';

/** Of each container the last step that failed; in memory only, since trying again after a restart is right. */
export interface Failures {
  /** The failure of `key`, with what is left of its wait. */
  get(key: string): StepFailure | undefined;
  note(key: string, failure: Omit<StepFailure, 'retryAfterMs'>): void;
  /** `step` has succeeded. */
  clear(key: string, step: Step['do']): void;
  forget(key: string): void;
  keys(): string[];
}

interface Failed extends Omit<StepFailure, 'retryAfterMs'> {
  inARow: number;
  retryAtMs: number;
}

export function createFailures(clock: Clock): Failures {
  const failed = new Map<string, Failed>();
  return {
    get(key) {
      const failure = failed.get(key);
      if (failure === undefined) return undefined;
      const { step, reason, message, cause, retryAtMs } = failure;
      return { step, reason, message, cause, retryAfterMs: retryAtMs - clock.monotonicMs() };
    },
    note(key, failure) {
      const before = failed.get(key);
      const isRepeated = before?.step === failure.step && before.cause === failure.cause;
      const inARow = isRepeated ? before.inARow + 1 : 1;
      failed.set(key, { ...failure, inARow, retryAtMs: clock.monotonicMs() + failureBackoffMs(inARow) });
    },
    clear(key, step) {
      if (failed.get(key)?.step === step) failed.delete(key);
    },
    forget: (key) => void failed.delete(key),
    keys: () => [...failed.keys()],
  };
}
