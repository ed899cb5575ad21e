import type { Container } from '../../../src/crds/container.ts';
import { COUNTER_ANNOTATION } from '../traffic.ts';
import type { Call, RunRecord, Seen } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';

/** A write that was acknowledged is in the store, at the revision of the reply, and was not undone by anything but later writes. */
export function findLostWrites({ calls, history }: Pick<RunRecord, 'calls' | 'history'>): Finding[] {
  const events = history.filter((event): event is ContainerEvent => event.kind === 'Container');
  return [...unseenWrites(calls, events), ...undoneWrites(calls, events), ...lostDeletions(calls, events)];
}

type ContainerEvent = Extract<Seen, { kind: 'Container' }>;
const finding = findingOf('no write is lost');

function unseenWrites(calls: readonly Call[], events: readonly ContainerEvent[]): Finding[] {
  const seen = new Map(events.map(({ revision, object }) => [revision, object]));
  return calls.flatMap((call) => {
    if (call.outcome !== 'done' || call.revision === undefined || call.counter === undefined) return [];
    const object = seen.get(call.revision);
    const text = `${call.verb} of ${call.container} with counter ${call.counter}, acknowledged as ${call.revision}`;
    if (object === undefined) return finding(`${text}: the store never had it`);
    return counterOf(object) === call.counter
      ? []
      : finding(`${text}: the store has ${counterOf(object)} there`);
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
      findings.push(...finding(text));
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
      findings.push(...finding(`${name} ends with counter ${last}; ${acknowledged} was acknowledged`));
    }
  }
  return findings;
}

/** Between the writer's last write before it and its next one after it, the object was marked for deletion or gone. */
function lostDeletions(calls: readonly Call[], events: readonly ContainerEvent[]): Finding[] {
  return calls.flatMap((call, index) => {
    if (call.verb !== 'delete' || call.outcome !== 'done') return [];
    const isOwnWrite = (other: Call): boolean =>
      other.container === call.container && other.outcome === 'done' && other.revision !== undefined;
    const from = calls.slice(0, index).findLast(isOwnWrite)?.revision ?? 0;
    const to = calls.slice(index + 1).find(isOwnWrite)?.revision ?? Number.POSITIVE_INFINITY;
    const isDeleted = events.some(
      ({ object, revision, type }) =>
        object.metadata.name === call.container &&
        revision > from &&
        revision < to &&
        (type === 'DELETED' || object.metadata.deletionTimestamp !== undefined),
    );
    return isDeleted ? [] : finding(`the deletion of ${call.container} was acknowledged, and did not happen`);
  });
}

function counterOf({ metadata }: Container): number {
  return Number(metadata.annotations?.[COUNTER_ANNOTATION] ?? -1);
}
