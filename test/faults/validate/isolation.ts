import type { Beat, Played, RunRecord } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';
import { livesOf } from './heartbeats.ts';

/** How a host loses all others at once, or is not heard by them, or does not hear them. */
const CUTS: readonly Played['what'][] = ['cut-link', 'drop-in', 'drop-out'];
/** duration + fenceDelay: the lease may be taken, at the earliest, so long after the last renewal. */
const TAKEN_MS = 8_000;

/** What may be recovered elsewhere has stopped, on a host that is cut off, before anybody can take its lease. */
export function findLateStops(
  { beats, faults }: Pick<RunRecord, 'beats' | 'faults'>,
  isRecovered: (container: string) => boolean,
): Finding[] {
  const cuts = faults.filter((fault) => CUTS.includes(fault.what) || isCutAlone(fault, faults));
  return cuts.flatMap((cut) =>
    [...beats].flatMap(([container, lines]) => (isRecovered(container) ? lateOf(container, lines, cut) : [])),
  );
}

/** Others that hear it may let it run on if most of them are cut off from the API as well; not if nothing else is wrong. */
function isCutAlone(fault: Played, faults: readonly Played[]): boolean {
  const { what, fromMs, toMs = Number.POSITIVE_INFINITY } = fault;
  const isNear = (other: Played): boolean =>
    other.fromMs < toMs && (other.toMs ?? Number.POSITIVE_INFINITY) > fromMs - TAKEN_MS;
  return what === 'cut-api' && !faults.some((other) => other !== fault && isNear(other));
}

const finding = findingOf('a cut-off host stops in time');

function lateOf(container: string, beats: readonly Beat[], cut: Played): Finding[] {
  const { host = '', fromMs, toMs = Number.POSITIVE_INFINITY } = cut;
  const own = new Set(
    livesOf(beats)
      .filter((life) => life.host === host)
      .map(({ boot }) => boot),
  );
  const last = beats.findLast(({ boot, atMs }) => own.has(boot) && atMs > fromMs + TAKEN_MS && atMs < toMs);
  if (last === undefined) return [];
  const afterMs = Math.round(last.atMs - fromMs);
  return finding(`${container} still ran on ${host} ${afterMs} ms after ${cut.what}`);
}
