/** How many plays go on at the same time. */
const AT_ONCE = 3;
/** How far they may be ahead of the test that jest is at. */
const AHEAD = 6;

/** Plays that do not disturb each other. */
export interface Ahead {
  /** @returns the play's test: it ends as the play has ended, which may have begun before */
  add(play: () => Promise<void>): () => Promise<void>;
  /** Once all that were begun have ended, however they did. */
  settled(): Promise<void>;
}

/**
 * Plays some tests at the same time, although jest runs those of a file one after the other: while it waits for one, those that
 * follow are begun in their order, and what came of each is told when its turn comes. With a filter (`-t`) some that follow the
 * chosen test are begun as well.
 */
export function playAhead(): Ahead {
  const plays: (() => Promise<void>)[] = [];
  const outcomes = new Map<number, Promise<void>>();
  let running = 0;
  let turn = 0;

  const begin = (index: number): Promise<void> => {
    const begun = outcomes.get(index);
    if (begun !== undefined) return begun;
    running += 1;
    const outcome = (plays[index] as () => Promise<void>)().finally(() => {
      running -= 1;
      beginNext();
    });
    // Told when its turn comes.
    outcome.catch(() => undefined);
    outcomes.set(index, outcome);
    return outcome;
  };
  const beginNext = (): void => {
    for (const index of plays.keys()) {
      if (index >= turn && index <= turn + AHEAD && running < AT_ONCE) void begin(index);
    }
  };

  return {
    add(play) {
      const index = plays.push(play) - 1;
      return () => {
        turn = index;
        const outcome = begin(index);
        beginNext();
        return outcome;
      };
    },
    settled: async () => void (await Promise.allSettled(outcomes.values())),
  };
}
