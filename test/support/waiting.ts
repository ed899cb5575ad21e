import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/ports/errors.ts';

/** Asking again and again, for what comes about in other processes, on everybody's clock. */

export type Look<T> = () => Promise<T | undefined | false> | T | undefined | false;

export interface Patience {
  /** @defaultValue 20 000 */
  withinMs?: number;
  /** @defaultValue 20 */
  pollMs?: number;
  /** What to tell besides, when it did not come about: what a process has written, say. */
  clue?: () => string;
}

/**
 * The first answer that is one. What `look` throws is thrown at once.
 * @throws Error that says what was waited for
 */
export async function until<T>(
  what: string,
  look: Look<T>,
  { withinMs = 20_000, pollMs = 20, clue = () => '' }: Patience = {},
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs / 1_000} s: ${what}\n${clue()}`);
    await delay(pollMs);
  }
}

/**
 * Asks again until there is an answer that is right. Errors count as wrong answers: what is asked may be away for a while.
 * @throws Error that says what was waited for, and the last answer
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  deadlineMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (isRight(answer)) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`Not within ${deadlineMs / 1_000} s: ${what}. Last: ${tell(last)}`);
    }
    await delay(100);
  }
}

/** Asks again for `windowMs`; every answer must be right. */
export async function throughout<T>(
  what: string,
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  windowMs: number,
): Promise<void> {
  const deadline = performance.now() + windowMs;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (!isRight(answer)) throw new Error(`Not all the time: ${what}. Now: ${tell(answer)}`);
    await delay(200);
  }
}

function tell(answer: unknown): string {
  return answer instanceof Error ? messageOf(answer) : JSON.stringify(answer, undefined, 2);
}
