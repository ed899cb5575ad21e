import type { RunRecord, Seen, WatchLog } from '../record.ts';
import type { Finding } from './finding.ts';

/** A watch never skips, repeats or goes back; two of them tell the same. */
export function findWatchFaults({ watches }: Pick<RunRecord, 'watches'>): Finding[] {
  const each = watches.flatMap((log, index) => orderFaults(log, `watch ${index + 1}`));
  const [first, ...others] = watches;
  const differ = others.flatMap((other, index) =>
    first === undefined ? [] : differences(first, other, `watch ${index + 2}`),
  );
  return [...each, ...differ];
}

function orderFaults({ events }: WatchLog, name: string): Finding[] {
  const findings: Finding[] = [];
  const add = (event: Seen, text: string): void =>
    void findings.push({
      rule: 'watches are in order',
      text: `${name}: ${event.type} ${event.kind} ${event.key} at ${event.revision}: ${text}`,
    });
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

/** Each kind has a watch of its own: up to its last event all of them are sure to have come. */
function differences(one: WatchLog, other: WatchLog, name: string): Finding[] {
  const kinds = new Set(one.events.map(({ kind }) => kind));
  return [...kinds].flatMap((kind) => {
    const own = [one, other].map(({ events }) => events.filter((event) => event.kind === kind));
    const until = Math.min(...own.map((events) => events.at(-1)?.revision ?? 0));
    const from = Math.max(...own.map(firstOf));
    const gaps = [one, other].flatMap((log) => log.gaps.filter((gap) => gap.kind === kind));
    const [left, right] = own.map((events) =>
      idsOf(
        events.filter(({ revision }) => !gaps.some((gap) => revision > gap.from && revision <= gap.to)),
        from,
        until,
      ),
    ) as [Set<string>, Set<string>];
    const lacking = (who: string, ids: readonly string[]): Finding[] =>
      ids.map((id) => ({ rule: 'watches are complete', text: `${who} lacks ${id}` }));
    return [...lacking(name, without(left, right)), ...lacking('watch 1', without(right, left))];
  });
}

const without = (some: ReadonlySet<string>, others: ReadonlySet<string>): string[] =>
  [...some].filter((id) => !others.has(id));

function idsOf(events: readonly Seen[], from: number, until: number): Set<string> {
  const between = events.filter(({ revision }) => revision > from && revision <= until);
  return new Set(between.map(({ kind, key, revision, type }) => `${type} ${kind} ${key} at ${revision}`));
}

/** The end of what the first list may hold. */
function firstOf(events: readonly Seen[]): number {
  const end = events.findIndex(({ type }) => type !== 'ADDED');
  return Math.max(0, ...events.slice(0, Math.max(0, end)).map(({ revision }) => revision));
}
