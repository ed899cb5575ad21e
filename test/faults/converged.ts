import { isConditionTrue } from '../../src/crds/conditions.ts';
import type { Container } from '../../src/crds/container.ts';
import type { Node } from '../../src/crds/node.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { BeatReader } from './beats.ts';
import type { Beat, Seen } from './record.ts';

const POLL_MS = 200;
/** Without a new line for so long, it does not run; the machine may be busy. */
const ALIVE_MS = 1_500;

/**
 * Waits until all of it is as wanted, by the API and by the heartbeats: hosts Ready, containers Running, each alive in one
 * place, where the API says.
 * @returns what is not, after `withinMs`; undefined when all is well
 */
export async function untilConverged(
  wanted: Wanted,
  { withinMs, signal }: { withinMs: number; signal: AbortSignal },
): Promise<string | undefined> {
  const untilMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const missing = whatIsMissing(wanted, clock.monotonicMs());
    if (missing === undefined || clock.monotonicMs() > untilMs || signal.aborted) return missing;
    await sleep(clock, POLL_MS, signal);
  }
}

/** What is to be so, and where it is looked up. */
export interface Wanted {
  hosts: readonly string[];
  /** Of containers. */
  names: readonly string[];
  /** In order: the last of each object is how it is now. */
  events: readonly Seen[];
  beats: Pick<BeatReader, 'read'>;
}

/** @returns the first thing that is not as wanted */
export function whatIsMissing({ hosts, names, events, beats }: Wanted, nowMs: number): string | undefined {
  const latest = latestOf(events);
  const unready = hosts.find((host) => {
    const node = latest.get(`Node/${host}`)?.object as Node | undefined;
    return !isConditionTrue(node?.status?.conditions, 'Ready');
  });
  if (unready !== undefined) return `${unready} is not Ready`;
  for (const name of names) {
    const container = latest.get(`Container/default/${name}`)?.object as Container | undefined;
    const missing = missingOf(name, container) ?? unlike(name, container, beats.read(name).at(-1), nowMs);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

function missingOf(name: string, container: Container | undefined): string | undefined {
  if (container === undefined) return `${name} does not exist`;
  const { phase, nodeName, observedGeneration, conditions } = container.status ?? {};
  const isAsSaid =
    phase === 'Running' &&
    isConditionTrue(conditions, 'Ready') &&
    observedGeneration === container.metadata.generation;
  if (isAsSaid) return undefined;
  return `${name} is ${phase} on ${nodeName}: ${conditions?.find(({ type }) => type === 'Ready')?.message ?? ''}`;
}

/** What the heartbeats say otherwise than the API. */
function unlike(
  name: string,
  container: Container | undefined,
  beat: Beat | undefined,
  nowMs: number,
): string | undefined {
  const nodeName = container?.status?.nodeName;
  if (beat === undefined || nowMs - beat.atMs > ALIVE_MS) return `${name} writes no heartbeats`;
  return beat.host === nodeName ? undefined : `${name} is alive on ${beat.host}, not on ${nodeName}`;
}

function latestOf(events: readonly Seen[]): Map<string, Seen> {
  const latest = new Map<string, Seen>();
  for (const event of events) {
    const id = `${event.kind}/${event.key}`;
    if (event.type === 'DELETED') latest.delete(id);
    else latest.set(id, event);
  }
  return latest;
}
