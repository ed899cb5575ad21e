import type { Clock, Timer } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';

/**
 * Writes a state to the disk, soon after it has changed and many changes at once. A disk that takes nothing holds nobody
 * up: it is told once, and the write is tried again.
 */
export interface Saver {
  /** The state is another one now. */
  changed(): void;
  /** Resolves when everything up to now is on the disk, or could not be written. Never rejects. */
  save(): Promise<void>;
  /** Saves what is left and ends the background writes. */
  close(): Promise<void>;
}

export interface SaverDeps {
  /** Writes the state as it is at the call; never called again before it has ended. */
  write: () => Promise<void>;
  clock: Clock;
  logger: Logger;
  /**
   * What became of the first write, and of each one that went another way than the one before: it was refused, for this
   * reason; or (no reason) the disk took it.
   */
  onSaving: (fault: string | undefined) => void;
}

/** So that a burst of changes costs one write, which the disk has to confirm. */
const SAVE_DELAY_MS = 500;
const RETRY_MS = 5_000;

export function createSaver({ write, clock, logger, onSaving }: SaverDeps): Saver {
  let isDirty = false;
  let isClosed = false;
  let fault: string | undefined;
  let isTold = false;
  let timer: Timer | undefined;
  let writing: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const tell = (message: string | undefined): void => {
    if (isTold && message === fault) return;
    if (message === undefined && isTold) logger.info({}, 'the desired state is saved again');
    isTold = true;
    fault = message;
    if (message !== undefined) logger.error({ error: message }, 'cannot save the desired state');
    onSaving(message);
  };

  const writeOnce = async (): Promise<void> => {
    if (!isDirty) return;
    isDirty = false;
    try {
      await write();
      tell(undefined);
    } catch (error) {
      isDirty = true;
      tell(messageOf(error));
      saveAfter(RETRY_MS);
    }
  };

  const save = (): Promise<void> => {
    next ??= writing.then(() => {
      next = undefined;
      writing = writeOnce();
      return writing;
    });
    return next;
  };

  const saveAfter = (delayMs: number): void => {
    if (isClosed || timer !== undefined) return;
    timer = clock.schedule(delayMs, () => {
      timer = undefined;
      void save();
    });
  };

  return {
    changed() {
      isDirty = true;
      saveAfter(SAVE_DELAY_MS);
    },
    save,
    async close() {
      isClosed = true;
      timer?.cancel();
      timer = undefined;
      await save();
    },
  };
}
