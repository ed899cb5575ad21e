import type { Beat } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';
import { livesOf } from './heartbeats.ts';

/** A stretch in which nothing but the control plane was hurt, and perhaps some hosts that are named. */
export interface Outage {
  name: string;
  fromMs: number;
  toMs: number;
  /** Nothing is said of what ran there and may be recovered elsewhere. */
  hurtHosts: readonly string[];
}

/** A machine that is busy may keep a container from writing for so long. */
const PAUSE_MS = 5_000;
const finding = findingOf('an outage stops nothing');

/** What ran when it began ran through to its end, as one and the same start, without a pause. */
export function findStopped(
  beats: ReadonlyMap<string, readonly Beat[]>,
  { name, fromMs, toMs, hurtHosts }: Outage,
  isRecovered: (container: string) => boolean,
): Finding[] {
  return [...beats].flatMap(([container, lines]) => {
    const life = livesOf(lines).findLast(
      ({ firstMs, lastMs }) => firstMs < fromMs && lastMs >= fromMs - PAUSE_MS,
    );
    if (life === undefined) return finding(`${name}: ${container} did not run when it began`);
    if (isRecovered(container) && hurtHosts.includes(life.host)) return [];
    const times = lines.filter(({ boot }) => boot === life.boot).map(({ atMs }) => atMs);
    const during = [fromMs, ...times.filter((atMs) => atMs > fromMs && atMs < toMs), toMs];
    const at = during.findIndex((atMs, index) => atMs - (during[index - 1] ?? fromMs) > PAUSE_MS);
    if (at < 0) return [];
    const afterMs = Math.round((during[at - 1] ?? fromMs) - fromMs);
    return finding(`${name}: ${container} on ${life.host} was stopped ${afterMs} ms after it began`);
  });
}
