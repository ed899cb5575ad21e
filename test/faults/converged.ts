import { isConditionTrue } from '../../src/crds/conditions.ts';
import type { Container } from '../../src/crds/container.ts';
import { sleep, systemClock as clock } from '../../src/ports/clock.ts';
import type { TrialCluster } from './cluster.ts';
import { readBeats, type Seen, type WatchLog } from './record.ts';
import { livesOf } from './validate/heartbeats.ts';

const POLL_MS = 200;
/** Without a new line for so long, it does not run; the machine may be busy. */
const ALIVE_MS = 1_500;

/**
 * Waits until all of it is as wanted, by the API and by the heartbeats: hosts Ready, containers Running, each alive in one
 * place, where the API says.
 * @returns what is not, after `withinMs`; undefined when all is well
 */
export async function untilConverged(
  cluster: TrialCluster,
  names: readonly string[],
  { log, withinMs, signal }: { log: WatchLog; withinMs: number; signal: AbortSignal },
): Promise<string | undefined> {
  const untilMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const missing = whatIsMissing(cluster, names, log);
    if (missing === undefined || clock.monotonicMs() > untilMs || signal.aborted) return missing;
    await sleep(clock, POLL_MS, signal);
  }
}

function whatIsMissing(
  cluster: TrialCluster,
  names: readonly string[],
  { events }: WatchLog,
): string | undefined {
  const latest = latestOf(events);
  for (const host of cluster.hosts) {
    const node = latest.get(`Node/${host}`);
    const conditions = (node?.object as { status?: { conditions?: [] } } | undefined)?.status?.conditions;
    if (!isConditionTrue(conditions, 'Ready')) return `${host} is not Ready`;
  }
  for (const name of names) {
    const container = latest.get(`Container/default/${name}`)?.object as Container | undefined;
    if (container === undefined) return `${name} does not exist`;
    const { phase, nodeName, observedGeneration, conditions } = container.status ?? {};
    if (
      phase !== 'Running' ||
      !isConditionTrue(conditions, 'Ready') ||
      observedGeneration !== container.metadata.generation
    )
      return `${name} is ${phase} on ${nodeName}: ${conditions?.find(({ type }) => type === 'Ready')?.message ?? ''}`;
    const life = livesOf(readBeats(cluster.sharedDir, name)).at(-1);
    if (life === undefined || clock.monotonicMs() - life.lastMs > ALIVE_MS)
      return `${name} writes no heartbeats`;
    if (life.host !== '?' && life.host !== nodeName)
      return `${name} is alive on ${life.host}, not on ${nodeName}`;
  }
  return undefined;
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
