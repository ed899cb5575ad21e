import { isConditionTrue, findCondition } from '../../../src/crds/conditions.ts';
import type { Node } from '../../../src/crds/node.ts';
import { RESTARTED_AT_ANNOTATION } from '../../../src/plan/lifecycle/record.ts';
import type { Played, RunRecord, Seen } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';

/** Of a change that must be saved, until the Node says that it could not be. The agent saves after half a second. */
const TOLD_MS = 8_000;
const CONDITION = 'DesiredStateSaved';
const finding = findingOf('a full disk is told');

/** Of a disk that is full the Node says so, as soon as there was something to save; and at the end none says so any more. */
export function findUntoldDisks({ history, faults }: Pick<RunRecord, 'history' | 'faults'>): Finding[] {
  const full = faults.filter(({ what }) => what === 'fill-disk');
  const untold = full.filter(
    (fault) => isAlone(fault, faults) && hasToSave(fault, history) && !isTold(fault, history),
  );
  const still = [...new Set(full.map(({ host = '' }) => host))].filter((host) => saysFull(host, history));
  return [
    ...untold.flatMap(({ host, fromMs, toMs = 0 }) =>
      finding(`the disk of ${host} was full for ${Math.round(toMs - fromMs)} ms, and nothing said so`),
    ),
    ...still.flatMap((host) => finding(`${host} still says that its disk takes nothing`)),
  ];
}

/** Whoever is not heard, or hears nothing, has nothing to tell. */
function isAlone(fault: Played, faults: readonly Played[]): boolean {
  const { fromMs, toMs = Number.POSITIVE_INFINITY } = fault;
  return !faults.some(
    (other) =>
      other !== fault &&
      (other.host === undefined || other.host === fault.host) &&
      other.fromMs < toMs &&
      (other.toMs ?? Number.POSITIVE_INFINITY) > fromMs,
  );
}

/** A container of the host was to be restarted while it was full, and early enough. */
function hasToSave({ host, fromMs, toMs = 0 }: Played, history: readonly Seen[]): boolean {
  const restartOf = ({ object }: Seen): string | undefined =>
    object.metadata.annotations?.[RESTARTED_AT_ANNOTATION];
  return history.some((event, index) => {
    if (event.kind !== 'Container' || event.atMs <= fromMs || event.atMs >= toMs - TOLD_MS) return false;
    if (event.object.status?.nodeName !== host || event.object.status?.phase !== 'Running') return false;
    const before = history
      .slice(0, index)
      .findLast(({ key, kind }) => kind === 'Container' && key === event.key);
    return before !== undefined && restartOf(event) !== undefined && restartOf(event) !== restartOf(before);
  });
}

function isTold({ host, fromMs, toMs = 0 }: Played, history: readonly Seen[]): boolean {
  return history.some(
    ({ kind, key, atMs, object }) =>
      kind === 'Node' &&
      key === host &&
      atMs > fromMs &&
      atMs < toMs + TOLD_MS &&
      findCondition((object as Node).status?.conditions, CONDITION)?.status === 'False',
  );
}

function saysFull(host: string, history: readonly Seen[]): boolean {
  const node = history.findLast(({ kind, key }) => kind === 'Node' && key === host)?.object as
    | Node
    | undefined;
  const conditions = node?.status?.conditions;
  return findCondition(conditions, CONDITION) !== undefined && !isConditionTrue(conditions, CONDITION);
}
