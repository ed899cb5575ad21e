import type { Container } from '../../../src/crds/container.ts';
import { COUNTER_ANNOTATION } from '../traffic.ts';
import type { Call, RunRecord, Seen } from '../record.ts';
import type { Finding } from './finding.ts';

/** A write that was acknowledged is in the watch, at the revision of the reply, and was not undone by anything but later writes. */
export function findLostWrites({ calls, watches }: Pick<RunRecord, 'calls' | 'watches'>): Finding[] {
  const events = (watches[0]?.events ?? []).filter((event) => event.kind === 'Container');
  const gaps = (watches[0]?.gaps ?? []).filter(({ kind }) => kind === 'Container');
  const isShown = ({ revision = 0 }: Call): boolean =>
    !gaps.some(({ from, to }) => revision > from && revision <= to);
  return [...unseenWrites(calls.filter(isShown), events), ...undoneWrites(calls, events)];
}

type ContainerEvent = Extract<Seen, { kind: 'Container' }>;

function unseenWrites(calls: readonly Call[], events: readonly ContainerEvent[]): Finding[] {
  const seen = new Map(events.map(({ revision, object }) => [revision, object]));
  return calls.flatMap((call) => {
    if (call.outcome !== 'done' || call.revision === undefined || call.counter === undefined) return [];
    const object = seen.get(call.revision);
    const text = `${call.verb} of ${call.container} with counter ${call.counter}, acknowledged as ${call.revision}`;
    if (object === undefined) return [{ rule: 'no write is lost', text: `${text}: no watch shows it` }];
    return counterOf(object) === call.counter
      ? []
      : [{ rule: 'no write is lost', text: `${text}: the watch has ${counterOf(object)} there` }];
  });
}

/** One writer per container writes one after the other, so its counter only grows, in each version that anybody sees. */
function undoneWrites(calls: readonly Call[], events: readonly ContainerEvent[]): Finding[] {
  const findings: Finding[] = [];
  const highest = new Map<string, number>();
  for (const { object, revision } of events) {
    const { name } = object.metadata;
    const before = highest.get(name) ?? -1;
    const counter = counterOf(object);
    if (counter < before) {
      const text = `${name} went from counter ${before} back to ${counter} at ${revision}`;
      findings.push({ rule: 'no write is lost', text });
    }
    highest.set(name, Math.max(before, counter));
  }
  for (const [name, last] of highest) {
    const own = calls.filter((call) => call.container === name && call.counter !== undefined);
    const acknowledged = Math.max(
      -1,
      ...own.filter(({ outcome }) => outcome === 'done').map(({ counter = -1 }) => counter),
    );
    if (last < acknowledged) {
      findings.push({
        rule: 'no write is lost',
        text: `${name} ends with counter ${last}; ${acknowledged} was acknowledged`,
      });
    }
  }
  return findings;
}

function counterOf({ metadata }: Container): number {
  return Number(metadata.annotations?.[COUNTER_ANNOTATION] ?? -1);
}
