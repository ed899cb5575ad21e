/**
 * How many requests are served at once, counted apart so that none can starve the others: reads, writes, and what keeps nodes
 * alive, their leases. A renewal that is refused because of somebody's load would look like a node that is lost.
 */
export interface InflightLimit {
  /** @returns what gives the place back; undefined when there is none left */
  enter(what: Counted): (() => void) | undefined;
}

export type Counted = keyof InflightLimits;

export interface InflightLimits {
  reads: number;
  writes: number;
  nodeLeases: number;
}

/** The defaults of kube-apiserver, and enough for thousands of nodes. Watches are not counted: they wait, and cost little. */
export const DEFAULT_LIMITS: InflightLimits = { reads: 400, writes: 200, nodeLeases: 2_000 };

export function createInflightLimit(limits: InflightLimits): InflightLimit {
  const inside: InflightLimits = { reads: 0, writes: 0, nodeLeases: 0 };
  return {
    enter(what) {
      if (inside[what] >= limits[what]) return undefined;
      inside[what] += 1;
      let isInside = true;
      return () => {
        if (!isInside) return;
        isInside = false;
        inside[what] -= 1;
      };
    },
  };
}
