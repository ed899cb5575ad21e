import type { DesiredState } from '../../../src/agent/state/desired-state-file.ts';
import type { Container } from '../../../src/crds/container.ts';
import { keyOf } from '../../../src/crds/object.ts';
import type { Seen } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';

/** A cluster that has converged writes nothing but renewals: not into any kind. @param events while it was at rest */
export function findWritesAtRest(events: readonly Seen[]): Finding[] {
  return events
    .filter(({ kind }) => kind !== 'Lease')
    .flatMap(({ kind, key, type }) => findingOf('no writes at rest')(`${type} ${kind} ${key}`));
}

/**
 * What an agent has on its disk at rest is what is placed on its host, as it is in the store: it would go on from there if it
 * were started again while the API is away.
 * @param state of the host's file; undefined: there is none, or it is damaged
 */
export function findUnsaved(
  host: string,
  state: DesiredState | undefined,
  history: readonly Seen[],
): Finding[] {
  const finding = findingOf('the desired state is saved');
  if (state === undefined) return finding(`${host} has no desired state on its disk`);
  const saved = new Map(state.containers.map(({ container }) => [keyOf(container), container]));
  const placed = containersNow(history).filter(({ status }) => status?.nodeName === host);
  const unsaved = placed.filter((container) => !isSaved(container, saved.get(keyOf(container))));
  const over = [...saved.keys()].filter((key) => !placed.some((container) => keyOf(container) === key));
  return [
    ...unsaved.flatMap((container) => finding(`${host} has not saved ${keyOf(container)} as it is`)),
    ...over.flatMap((key) => finding(`${host} has saved ${key}, which is not placed there`)),
  ];
}

function isSaved({ metadata, status }: Container, saved: Container | undefined): boolean {
  return (
    saved?.metadata.uid === metadata.uid &&
    saved?.metadata.generation === metadata.generation &&
    saved?.status?.epoch === status?.epoch
  );
}

function containersNow(history: readonly Seen[]): Container[] {
  const latest = new Map<string, Container>();
  for (const event of history) {
    if (event.kind !== 'Container') continue;
    if (event.type === 'DELETED') latest.delete(event.key);
    else latest.set(event.key, event.object);
  }
  return [...latest.values()];
}
