/** How many requests are served at once, reads and writes counted apart, so that one cannot starve the other. */
export interface InflightLimit {
  /** @returns what gives the place back; undefined when there is none left */
  enter(isWrite: boolean): (() => void) | undefined;
}

/** The defaults of kube-apiserver. Watches are not counted: they wait, and cost little. */
export const DEFAULT_LIMITS = { reads: 400, writes: 200 };

export function createInflightLimit(limits: { reads: number; writes: number }): InflightLimit {
  let reads = 0;
  let writes = 0;
  return {
    enter(isWrite) {
      if (isWrite ? writes >= limits.writes : reads >= limits.reads) return undefined;
      if (isWrite) writes += 1;
      else reads += 1;
      let isInside = true;
      return () => {
        if (!isInside) return;
        isInside = false;
        if (isWrite) writes -= 1;
        else reads -= 1;
      };
    },
  };
}
