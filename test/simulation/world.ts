/**
 * Virtual time, chance and a log: everything a schedule needs to run the same way each time. Events at the same moment
 * run in the order in which they were made.
 */
export interface World {
  /** Milliseconds of true time, which nobody in the simulation can read. */
  now: number;
  at(timeMs: number, run: () => void): void;
  /** Runs events until `endMs`. */
  runUntil(endMs: number): void;
  /** In [0, 1). */
  random(): number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  log(who: string, what: string): void;
  /** Whether what is logged is kept: texts that cost something are made only then. */
  readonly isTraced: boolean;
  readonly trace: readonly string[];
}

interface Event {
  timeMs: number;
  order: number;
  run: () => void;
}

export function createWorld(seed: number, isTraced: boolean): World {
  const heap: Event[] = [];
  const trace: string[] = [];
  const random = mulberry32(seed);
  let order = 0;
  const world: World = {
    now: 0,
    trace,
    isTraced,
    random,
    between: (low, high) => low + random() * (high - low),
    chance: (probability) => random() < probability,
    at: (timeMs, run) => push(heap, { timeMs: timeMs > world.now ? timeMs : world.now, order: order++, run }),
    runUntil(endMs) {
      for (let next = heap[0]; next !== undefined && next.timeMs <= endMs; next = heap[0]) {
        pop(heap);
        world.now = next.timeMs;
        next.run();
      }
      world.now = endMs;
    },
    log(who, what) {
      if (isTraced) trace.push(`${(world.now / 1000).toFixed(3).padStart(8)} ${who.padEnd(9)} ${what}`);
    },
  };
  return world;
}

/** A small generator with a period of 2^32, good enough to draw schedules. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const isBefore = (a: Event, b: Event): boolean =>
  a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (isBefore(heap[parent] as Event, event)) break;
    heap[index] = heap[parent] as Event;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop() as Event;
  const { length } = heap;
  if (length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= length) break;
    if (child + 1 < length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (isBefore(last, heap[child] as Event)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
}
