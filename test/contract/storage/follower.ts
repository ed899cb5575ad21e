import type { Storage, StorageEvent } from '../../../src/ports/storage.ts';

/** Reads a watch in the background and fails as soon as the watch breaks its own rules. */
export interface Follower {
  /** Resolves with all events so far when the watch has reached `revision`; rejects when it failed or ended. */
  until(revision: number): Promise<StorageEvent[]>;
  position(): number;
  stop(): Promise<void>;
}

export function follow(storage: Storage, prefix: string, afterRevision: number): Follower {
  const abort = new AbortController();
  const events: StorageEvent[] = [];
  const waiters = new Set<() => void>();
  let position = afterRevision;
  let failure: Error | undefined;
  let isOver = false;

  const read = async (): Promise<void> => {
    try {
      for await (const batch of storage.watch(prefix, afterRevision, abort.signal)) {
        let last = position;
        for (const event of batch.events) {
          const revision = revisionOf(event);
          if (revision < last || revision <= position || revision > batch.revision) {
            throw new Error(`event at ${revision} in a batch to ${batch.revision}, after ${position}`);
          }
          last = revision;
        }
        if (batch.revision <= position) throw new Error(`progress from ${position} to ${batch.revision}`);
        events.push(...batch.events);
        position = batch.revision;
        for (const wake of waiters) wake();
      }
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      isOver = true;
      for (const wake of waiters) wake();
    }
  };
  const reading = read();

  return {
    async until(revision) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          if (position < revision && !isOver) return;
          waiters.delete(wake);
          resolve();
        };
        waiters.add(wake);
        wake();
      });
      if (failure) throw failure;
      if (position < revision) throw new Error(`the watch ended at ${position}, before ${revision}`);
      return [...events];
    },
    position: () => position,
    async stop() {
      abort.abort();
      await reading;
      if (failure) throw failure;
    },
  };
}

export function revisionOf(event: StorageEvent): number {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}
