import type { Gap, RunRecord, Seen, WatchLog } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';

/** A watch never skips, repeats or goes back: it tells what etcd's own history has, and nothing else. */
export function findWatchFaults({ watches, history }: Pick<RunRecord, 'watches' | 'history'>): Finding[] {
  return watches.flatMap((log, index) => {
    const name = `watch ${index + 1}`;
    return [...orderFaults(log, name), ...differences(log, history, name)];
  });
}

function orderFaults({ events }: WatchLog, name: string): Finding[] {
  const findings: Finding[] = [];
  const add = (event: Seen, text: string): void =>
    void findings.push(
      ...findingOf('watches are in order')(
        `${name}: ${event.type} ${event.kind} ${event.key} at ${event.revision}: ${text}`,
      ),
    );
  const latest = new Map<string, number>();
  const there = new Set<string>();
  const begun = new Set<string>();
  for (const event of events) {
    const id = `${event.kind}/${event.key}`;
    const before = latest.get(event.kind) ?? 0;
    // What the first list holds comes in the order of names.
    const isListed =
      event.isListed === true || (event.type === 'ADDED' && !begun.has(event.kind) && !there.has(id));
    if (event.revision <= before && !isListed) add(event, `it came after ${before}`);
    if (event.type !== 'ADDED' || event.revision > before)
      latest.set(event.kind, Math.max(before, event.revision));
    if (event.type !== 'ADDED') begun.add(event.kind);
    if ((event.type === 'ADDED') === there.has(id))
      add(event, there.has(id) ? 'it was there' : 'it was not there');
    if (event.type === 'DELETED') there.delete(id);
    else there.add(id);
  }
  return findings;
}

/**
 * Each kind has a watch of its own: up to its last event all of them are sure to have come. Of a gap, which a list has closed,
 * only what it found is compared: the last version of each object that was written in it.
 */
function differences({ events, gaps }: WatchLog, history: readonly Seen[], name: string): Finding[] {
  const kinds = new Set(events.map(({ kind }) => kind));
  return [...kinds].flatMap((kind) => {
    const own = events.filter((event) => event.kind === kind);
    const [from, until] = [firstOf(own), own.at(-1)?.revision ?? 0];
    const isBetween = ({ revision }: Seen): boolean => revision > from && revision <= until;
    const holes = gaps.filter((gap) => gap.kind === kind);
    const actual = history.filter((event) => event.kind === kind && isBetween(event));
    const told = new Set(own.filter(isBetween).flatMap((event) => idOf(event, holes)));
    const real = new Set(
      actual.flatMap((event) => (isVisible(event, actual, holes) ? idOf(event, holes) : [])),
    );
    const complete = findingOf('watches are complete');
    return [
      ...[...real].filter((id) => !told.has(id)).flatMap((id) => complete(`${name} lacks ${id}`)),
      ...[...told].filter((id) => !real.has(id)).flatMap((id) => complete(`${name} made up ${id}`)),
    ];
  });
}

const holeOf = ({ revision }: Seen, holes: readonly Gap[]): Gap | undefined =>
  holes.find(({ from, to }) => revision > from && revision <= to);

/** In a gap only the last version of an object that is still there at its end. */
function isVisible(event: Seen, events: readonly Seen[], holes: readonly Gap[]): boolean {
  const hole = holeOf(event, holes);
  if (hole === undefined) return true;
  const isLater = (other: Seen): boolean =>
    other.key === event.key && other.revision > event.revision && other.revision <= hole.to;
  return event.type !== 'DELETED' && !events.some(isLater);
}

/** A list does not say whether an object is new or was changed, nor when one went. */
function idOf(event: Seen, holes: readonly Gap[]): string[] {
  const { kind, key, revision, type } = event;
  if (holeOf(event, holes) === undefined) return [`${type} ${kind} ${key} at ${revision}`];
  return type === 'DELETED' ? [] : [`${kind} ${key} at ${revision}, in a gap`];
}

/** The end of what the first list may hold. */
function firstOf(events: readonly Seen[]): number {
  const end = events.findIndex(({ type }) => type !== 'ADDED');
  return Math.max(0, ...events.slice(0, Math.max(0, end)).map(({ revision }) => revision));
}
